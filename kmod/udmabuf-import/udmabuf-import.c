// SPDX-License-Identifier: GPL-2.0
/*
 * udmabuf-import: DMA addresses of a dma-buf, for a device that is driven from
 * user space (uio_pci_generic, or vfio-pci without an IOMMU).
 *
 * A process attaches a dma-buf for a PCI function that it names, and gets the
 * addresses at which that function reaches the memory. They are mapped through
 * the DMA API, so that they are right with an IOMMU that translates, too.
 *
 * Who owns what:
 *
 *   open file ── handles ──▶ import ──▶ attachment, mapping, pin, dma-buf,
 *                               ▲       PCI function
 *                  imports ─────┘
 *
 * An import belongs to one open file, and ends with UDMABUF_IMPORT_DETACH or
 * the last close of that file, however its processes end. Its mapping ends
 * earlier when the function is to lose its driver, or when the exporter takes the
 * memory back (move_notify, by its older name); GET_MAP says -ESTALE from then on.
 *
 * Locks, in the order in which they are taken:
 *
 *   device_lock    ATTACH; the driver core holds it while a driver is unbound
 *   import->lock   an import ends once
 *   dma-buf's reservation lock    pin, map, unmap; held by who calls move_notify
 *   imports_lock   the list of imports
 *
 *   file->lock     handles; nothing else is taken while it is held
 */
#include <linux/capability.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/xarray.h>

#include "udmabuf_import.h"

/* How long ATTACH waits for who still moves or clears the memory. */
#define IMPORT_FENCE_SECONDS	10

/**
 * struct import_file - what an open file has
 * @lock: protects all of it
 * @imports: by handle; an entry that is only reserved reads as NULL
 * @count: entries, reserved ones included
 * @segments: of all imports together
 * @next: where the search for a free handle goes on, so that one that was
 *	  given back is not soon another's
 */
struct import_file {
	struct mutex lock;
	struct xarray imports;
	u32 count;
	u32 segments;
	u32 next;
};

/**
 * struct import - a dma-buf that is mapped for a function
 * @ref: one of its handle, one of whoever uses it at the moment
 * @node: in @imports, from ATTACH until it ends; under @imports_lock
 * @lock: taken to end it
 * @pdev: the function
 * @dmabuf: the memory
 * @attachment: NULL once it has ended; under @lock
 * @sgt: the mapping; NULL once it is gone; under the reservation lock
 * @stale: the addresses mean nothing any more
 * @count: segments
 * @segments: where the function finds the memory; never changes
 */
struct import {
	struct kref ref;
	struct list_head node;
	struct mutex lock;
	struct pci_dev *pdev;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
	bool stale;
	u32 count;
	struct udmabuf_import_segment *segments;
};

static LIST_HEAD(imports);
static DEFINE_MUTEX(imports_lock);

/*
 * An IOMMU that is flushed lazily (DMA-FQ) may know for some milliseconds what
 * is not mapped any more, and the exporter gives the memory to others at once.
 */
static void import_flush(struct import *import)
{
#ifdef CONFIG_IOMMU_API
	struct iommu_domain *domain =
		iommu_get_domain_for_dev(&import->pdev->dev);

	if (domain && domain->type == IOMMU_DOMAIN_DMA_FQ)
		iommu_flush_iotlb_all(domain);
#endif
}

static void import_unmap(struct import *import)
{
	dma_resv_assert_held(import->dmabuf->resv);
	if (!import->sgt)
		return;
	WRITE_ONCE(import->stale, true);
	dma_buf_unmap_attachment(import->attachment, import->sgt,
				 DMA_BIDIRECTIONAL);
	import_flush(import);
	import->sgt = NULL;
}

/* Of an exporter that is not dynamic, the dma-buf's core unmaps here alone. */
static void import_detach_dmabuf(struct import *import)
{
	dma_buf_detach(import->dmabuf, import->attachment);
	import_flush(import);
	import->attachment = NULL;
}

/*
 * The memory is pinned, so that an exporter that calls this means that it takes
 * it back. Behind an IOMMU the function's accesses fail from here on; without
 * one nothing can stop them, which is why who drives it needs CAP_SYS_RAWIO.
 *
 * It is also called while the memory moves to where it can be pinned. There is
 * no mapping then.
 */
static void import_move_notify(struct dma_buf_attachment *attachment)
{
	import_unmap(attachment->importer_priv);
}

static const struct dma_buf_attach_ops import_attach_ops = {
	.allow_peer2peer = true,
#ifdef HAVE_INVALIDATE_MAPPINGS
	.invalidate_mappings = import_move_notify,
#else
	.move_notify = import_move_notify,
#endif
};

/* Ends an import, once, and returns when it has ended. */
static void import_end(struct import *import)
{
	struct dma_resv *resv = import->dmabuf->resv;

	mutex_lock(&import->lock);
	if (import->attachment) {
		dma_resv_lock(resv, NULL);
		import_unmap(import);
		dma_buf_unpin(import->attachment);
		dma_resv_unlock(resv);
		import_detach_dmabuf(import);
		mutex_lock(&imports_lock);
		list_del(&import->node);
		mutex_unlock(&imports_lock);
	}
	mutex_unlock(&import->lock);
}

static void import_free(struct kref *ref)
{
	struct import *import = container_of(ref, struct import, ref);

	dma_buf_put(import->dmabuf);
	pci_dev_put(import->pdev);
	mutex_destroy(&import->lock);
	kvfree(import->segments);
	kfree(import);
}

static void import_put(struct import *import)
{
	kref_put(&import->ref, import_free);
}

/* What lies in a row for the function is one segment. */
static int import_read_segments(struct import *import,
				struct udmabuf_import_segment *segments,
				u32 *count)
{
	struct scatterlist *sg;
	u64 total = 0, end = 0;
	u32 n = 0;
	int i;

	for_each_sgtable_dma_sg(import->sgt, sg, i) {
		u64 address = sg_dma_address(sg), length = sg_dma_len(sg), next;

		if (!length || !PAGE_ALIGNED(address | length) ||
		    check_add_overflow(address, length, &next) ||
		    check_add_overflow(total, length, &total))
			return -EIO;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
		/* Memory that a CPU copies behind the function's back. */
		if (dma_need_sync(&import->pdev->dev, address))
			return -EOPNOTSUPP;
#endif
		if (n && address == end) {
			if (segments)
				segments[n - 1].length += length;
		} else {
			if (n == UDMABUF_IMPORT_MAX_SEGMENTS)
				return -E2BIG;
			if (segments) {
				segments[n].address = address;
				segments[n].length = length;
			}
			n++;
		}
		end = next;
	}
	if (total != import->dmabuf->size)
		return -EIO;
	*count = n;
	return 0;
}

static int import_map(struct import *import)
{
	struct sg_table *sgt;
	long left;
	int ret;

	dma_resv_assert_held(import->dmabuf->resv);
	sgt = dma_buf_map_attachment(import->attachment, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	import->sgt = sgt;

	ret = import_read_segments(import, NULL, &import->count);
	if (!ret && !import->count)
		ret = -EIO;
	if (ret)
		goto err_unmap;
	import->segments = kvcalloc(import->count, sizeof(*import->segments),
				    GFP_KERNEL_ACCOUNT);
	if (!import->segments) {
		ret = -ENOMEM;
		goto err_unmap;
	}
	ret = import_read_segments(import, import->segments, &import->count);
	if (ret)
		goto err_unmap;
	/*
	 * What the exporter does to the memory by a device of its own has to be
	 * done, for a function that is driven from user space waits for nothing.
	 */
	left = dma_resv_wait_timeout(import->dmabuf->resv,
				     DMA_RESV_USAGE_KERNEL, true,
				     IMPORT_FENCE_SECONDS * HZ);
	if (left <= 0) {
		ret = left ? left : -ETIMEDOUT;
		goto err_unmap;
	}
	return 0;

err_unmap:
	import_unmap(import);
	return ret;
}

/*
 * Whether addresses of the kernel's DMA API are the function's: a driver gives
 * it to user space, and VFIO has not put an address space of its own there.
 */
static int import_check_driver(struct pci_dev *pdev)
{
	static const char * const drivers[] = { "uio_pci_generic", "vfio-pci" };
	struct device_driver *driver = pdev->dev.driver;

	device_lock_assert(&pdev->dev);
	if (!driver ||
	    match_string(drivers, ARRAY_SIZE(drivers), driver->name) < 0)
		return -ENXIO;
	if (to_pci_driver(driver)->driver_managed_dma &&
	    iommu_get_domain_for_dev(&pdev->dev))
		return -EBUSY;
	return 0;
}

/* Attaches, pins and maps. The function keeps its driver meanwhile. */
static int import_begin(struct import *import, u8 dma_bits)
{
	struct dma_buf_attachment *attachment;
	struct device *dev = &import->pdev->dev;
	struct dma_resv *resv = import->dmabuf->resv;
	int ret;

	ret = import_check_driver(import->pdev);
	if (ret)
		return ret;
	/* These drivers leave the mask at 32 bits, for they do no DMA. */
	ret = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(dma_bits));
	if (ret)
		return ret;

	attachment = dma_buf_dynamic_attach(import->dmabuf, dev,
					    &import_attach_ops, import);
	if (IS_ERR(attachment))
		return PTR_ERR(attachment);
	dma_resv_lock(resv, NULL);
	import->attachment = attachment;
	/* Nobody could be told in time of memory that moves. */
	ret = dma_buf_pin(attachment);
	if (ret)
		goto err_unlock;
	ret = import_map(import);
	if (ret)
		goto err_unpin;
	dma_resv_unlock(resv);

	mutex_lock(&imports_lock);
	list_add(&import->node, &imports);
	mutex_unlock(&imports_lock);
	return 0;

err_unpin:
	dma_buf_unpin(attachment);
err_unlock:
	dma_resv_unlock(resv);
	import_detach_dmabuf(import);
	return ret;
}

static struct import *import_create(const struct udmabuf_import_attach *arg)
{
	struct import *import;
	int ret;

	import = kzalloc(sizeof(*import), GFP_KERNEL_ACCOUNT);
	if (!import)
		return ERR_PTR(-ENOMEM);
	kref_init(&import->ref);
	mutex_init(&import->lock);

	import->pdev = pci_get_domain_bus_and_slot(arg->domain, arg->bus,
						   PCI_DEVFN(arg->device,
							     arg->function));
	if (!import->pdev) {
		ret = -ENODEV;
		goto err_free;
	}
	import->dmabuf = dma_buf_get(arg->fd);
	if (IS_ERR(import->dmabuf)) {
		ret = PTR_ERR(import->dmabuf);
		goto err_put_pdev;
	}

	ret = device_lock_interruptible(&import->pdev->dev);
	if (ret)
		goto err_put;
	ret = import_begin(import, arg->dma_bits);
	device_unlock(&import->pdev->dev);
	if (ret)
		goto err_put;
	return import;

err_put:
	import_put(import);
	return ERR_PTR(ret);

err_put_pdev:
	pci_dev_put(import->pdev);
err_free:
	mutex_destroy(&import->lock);
	kfree(import);
	return ERR_PTR(ret);
}

/* Takes a handle that leads nowhere yet, and the import's share of the limits. */
static int import_reserve(struct import_file *file, u32 segments, u32 *handle)
{
	int ret;

	mutex_lock(&file->lock);
	if (file->count == UDMABUF_IMPORT_MAX_IMPORTS ||
	    segments > UDMABUF_IMPORT_MAX_SEGMENTS - file->segments) {
		ret = -ENOSPC;
	} else {
		ret = xa_alloc_cyclic(&file->imports, handle, NULL,
				      XA_LIMIT(1, INT_MAX), &file->next,
				      GFP_KERNEL_ACCOUNT);
		if (ret >= 0) {
			file->count++;
			file->segments += segments;
			ret = 0;
		}
	}
	mutex_unlock(&file->lock);
	return ret;
}

static void import_release_locked(struct import_file *file, u32 segments,
				  u32 handle)
{
	xa_erase(&file->imports, handle);
	file->count--;
	file->segments -= segments;
}

static long import_attach(struct import_file *file, void __user *argp)
{
	struct udmabuf_import_attach arg;
	struct import *import;
	int ret;

	/* Whoever was given the descriptor is not to open new ways by it. */
	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.flags || arg.device >= 32 || arg.function >= 8 ||
	    arg.dma_bits < 32 || arg.dma_bits > 64)
		return -EINVAL;
	import = import_create(&arg);
	if (IS_ERR(import))
		return PTR_ERR(import);

	ret = import_reserve(file, import->count, &arg.handle);
	if (ret)
		goto err_end;
	arg.count = import->count;
	arg.size = import->dmabuf->size;
	if (copy_to_user(argp, &arg, sizeof(arg))) {
		ret = -EFAULT;
		goto err_release;
	}

	mutex_lock(&file->lock);
	/* It was reserved, and takes no memory. */
	xa_store(&file->imports, arg.handle, import, GFP_KERNEL);
	mutex_unlock(&file->lock);
	return 0;

err_release:
	mutex_lock(&file->lock);
	import_release_locked(file, import->count, arg.handle);
	mutex_unlock(&file->lock);
err_end:
	import_end(import);
	import_put(import);
	return ret;
}

static long import_get_map(struct import_file *file, void __user *argp)
{
	struct udmabuf_import_get_map arg;
	struct import *import;
	long ret = 0;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.flags)
		return -EINVAL;

	mutex_lock(&file->lock);
	import = xa_load(&file->imports, arg.handle);
	if (import)
		kref_get(&import->ref);
	mutex_unlock(&file->lock);
	if (!import)
		return -ENOENT;

	if (READ_ONCE(import->stale)) {
		ret = -ESTALE;
	} else if (arg.first > import->count) {
		ret = -EINVAL;
	} else {
		arg.first = array_index_nospec(arg.first, import->count + 1);
		arg.count = min(arg.count, import->count - arg.first);
		if (copy_to_user(u64_to_user_ptr(arg.segments),
				 import->segments + arg.first,
				 arg.count * sizeof(*import->segments)) ||
		    copy_to_user(argp, &arg, sizeof(arg)))
			ret = -EFAULT;
		/* A copy may sleep: what ended meanwhile is not told as good. */
		smp_rmb();
		if (!ret && READ_ONCE(import->stale))
			ret = -ESTALE;
	}
	import_put(import);
	return ret;
}

static long import_detach(struct import_file *file, void __user *argp)
{
	struct import *import;
	u32 handle;

	if (copy_from_user(&handle, argp, sizeof(handle)))
		return -EFAULT;
	mutex_lock(&file->lock);
	import = xa_load(&file->imports, handle);
	if (import)
		import_release_locked(file, import->count, handle);
	mutex_unlock(&file->lock);
	if (!import)
		return -ENOENT;
	import_end(import);
	import_put(import);
	return 0;
}

static long import_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct import_file *file = filp->private_data;
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case UDMABUF_IMPORT_ATTACH:
		return import_attach(file, argp);
	case UDMABUF_IMPORT_GET_MAP:
		return import_get_map(file, argp);
	case UDMABUF_IMPORT_DETACH:
		return import_detach(file, argp);
	default:
		return -ENOTTY;
	}
}

/*
 * An address tells where memory lies in the machine, and a mapping opens a
 * device's way to it: what VFIO wants of who drives a device without an IOMMU,
 * whatever the node's mode has become. ATTACH asks again: a process that was
 * given a descriptor and has less looks up and ends what is there, and no more.
 */
static int import_open(struct inode *inode, struct file *filp)
{
	struct import_file *file;

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	mutex_init(&file->lock);
	xa_init_flags(&file->imports, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	filp->private_data = file;
	return nonseekable_open(inode, filp);
}

static int import_release(struct inode *inode, struct file *filp)
{
	struct import_file *file = filp->private_data;
	struct import *import;
	unsigned long handle;

	/* Nobody is in an ioctl any more, and nothing is only reserved. */
	xa_for_each(&file->imports, handle, import) {
		import_end(import);
		import_put(import);
	}
	xa_destroy(&file->imports);
	mutex_destroy(&file->lock);
	kfree(file);
	return 0;
}

static const struct file_operations import_fops = {
	.owner = THIS_MODULE,
	.open = import_open,
	.release = import_release,
	.unlocked_ioctl = import_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice import_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "udmabuf-import",
	.fops = &import_fops,
	.mode = 0600,
};

static struct import *import_of(struct device *dev)
{
	struct import *import, *found = NULL;

	mutex_lock(&imports_lock);
	list_for_each_entry(import, &imports, node) {
		if (&import->pdev->dev == dev) {
			/* Its handle's reference goes after it left the list. */
			kref_get(&import->ref);
			found = import;
			break;
		}
	}
	mutex_unlock(&imports_lock);
	return found;
}

/*
 * A function loses its driver, also because it is pulled. That is told before
 * anything of the driver or of the function's address space has gone. The lock
 * of the device is held until it has no driver, so that an ATTACH that comes
 * meanwhile waits, and finds none.
 *
 * Bus mastering ends first: what the function still does is not to reach
 * memory that has been given back. Its program may turn that on again through
 * its files, which is why who drives it needs CAP_SYS_RAWIO.
 */
static int import_notify(struct notifier_block *block, unsigned long action,
			 void *data)
{
	struct import *import;

	if (action != BUS_NOTIFY_UNBIND_DRIVER)
		return NOTIFY_DONE;
	while ((import = import_of(data))) {
		pci_clear_master(import->pdev);
		import_end(import);
		import_put(import);
	}
	return NOTIFY_OK;
}

static struct notifier_block import_block = {
	.notifier_call = import_notify,
};

static int __init import_init(void)
{
	int ret;

	ret = bus_register_notifier(&pci_bus_type, &import_block);
	if (ret)
		return ret;
	ret = misc_register(&import_device);
	if (ret)
		bus_unregister_notifier(&pci_bus_type, &import_block);
	return ret;
}
module_init(import_init);

static void __exit import_exit(void)
{
	misc_deregister(&import_device);
	bus_unregister_notifier(&pci_bus_type, &import_block);
}
module_exit(import_exit);

MODULE_DESCRIPTION("DMA addresses of dma-bufs for devices driven from user space");
MODULE_AUTHOR("The AiSIO authors");
MODULE_LICENSE("GPL");
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS("DMA_BUF");
#else
MODULE_IMPORT_NS(DMA_BUF);
#endif
