// SPDX-License-Identifier: GPL-2.0
/*
 * bar-export: a PCI BAR as a dma-buf. For tests of importers on machines that
 * can be thrown away, and for nothing else: it asks nobody whether the BAR may
 * be used, nor whether the bus lets two devices reach each other.
 *
 * It counts what importers have of it, in /sys/module/bar_export/parameters.
 */
#include <linux/atomic.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#include "bar_export.h"

struct bar_buffer {
	struct pci_dev *pdev;
	phys_addr_t start;
	size_t size;
	u32 kind;
	bool revoked;	/* under the reservation lock */
};

static atomic_t buffers, attachments, pins, mappings;

static int count_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(param->arg));
}

static const struct kernel_param_ops count_ops = {
	.get = count_get,
};

module_param_cb(buffers, &count_ops, &buffers, 0444);
module_param_cb(attachments, &count_ops, &attachments, 0444);
module_param_cb(pins, &count_ops, &pins, 0444);
module_param_cb(mappings, &count_ops, &mappings, 0444);

static int bar_attach(struct dma_buf *dmabuf,
		      struct dma_buf_attachment *attachment)
{
	if (!attachment->peer2peer)
		return -EOPNOTSUPP;
	atomic_inc(&attachments);
	return 0;
}

static void bar_detach(struct dma_buf *dmabuf,
		       struct dma_buf_attachment *attachment)
{
	atomic_dec(&attachments);
}

static int bar_pin(struct dma_buf_attachment *attachment)
{
	struct bar_buffer *bar = attachment->dmabuf->priv;

	dma_resv_assert_held(attachment->dmabuf->resv);
	if (bar->kind == BAR_EXPORT_UNPINNABLE)
		return -EOPNOTSUPP;
	atomic_inc(&pins);
	return 0;
}

static void bar_unpin(struct dma_buf_attachment *attachment)
{
	dma_resv_assert_held(attachment->dmabuf->resv);
	atomic_dec(&pins);
}

static void bar_free_table(struct device *dev, struct sg_table *sgt,
			   u32 mapped, size_t piece)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (i == mapped)
			break;
		/* A whole piece was mapped, whatever was told. */
		dma_unmap_resource(dev, sg_dma_address(sg), piece,
				   DMA_BIDIRECTIONAL, DMA_ATTR_SKIP_CPU_SYNC);
	}
	sg_free_table(sgt);
	kfree(sgt);
}

static size_t bar_piece(const struct bar_buffer *bar)
{
	return bar->kind == BAR_EXPORT_SCATTERED ? PAGE_SIZE : bar->size;
}

static struct sg_table *bar_map(struct dma_buf_attachment *attachment,
				enum dma_data_direction direction)
{
	struct bar_buffer *bar = attachment->dmabuf->priv;
	size_t piece = bar_piece(bar);
	u32 n = bar->size / piece;
	struct sg_table *sgt;
	struct scatterlist *sg;
	int i, ret;

	dma_resv_assert_held(attachment->dmabuf->resv);
	if (bar->revoked)
		return ERR_PTR(-ENODEV);
	if (bar->kind == BAR_EXPORT_UNMAPPABLE)
		return ERR_PTR(-EIO);
	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	ret = sg_alloc_table(sgt, n, GFP_KERNEL);
	if (ret) {
		kfree(sgt);
		return ERR_PTR(ret);
	}
	for_each_sgtable_dma_sg(sgt, sg, i) {
		dma_addr_t address;

		address = dma_map_resource(attachment->dev,
					   bar->start + (n - 1 - i) * piece,
					   piece, DMA_BIDIRECTIONAL,
					   DMA_ATTR_SKIP_CPU_SYNC);
		if (dma_mapping_error(attachment->dev, address)) {
			bar_free_table(attachment->dev, sgt, i, piece);
			return ERR_PTR(-ENOMEM);
		}
		sg_dma_address(sg) = address;
		sg_dma_len(sg) = piece;
	}
	if (bar->kind == BAR_EXPORT_SHORT)
		sg_dma_len(sgt->sgl) -= PAGE_SIZE;
	if (bar->kind == BAR_EXPORT_UNALIGNED)
		sg_dma_len(sgt->sgl) -= PAGE_SIZE / 2;
	atomic_inc(&mappings);
	return sgt;
}

static void bar_unmap(struct dma_buf_attachment *attachment,
		      struct sg_table *sgt, enum dma_data_direction direction)
{
	struct bar_buffer *bar = attachment->dmabuf->priv;

	dma_resv_assert_held(attachment->dmabuf->resv);
	bar_free_table(attachment->dev, sgt, sgt->nents, bar_piece(bar));
	atomic_dec(&mappings);
}

static void bar_release(struct dma_buf *dmabuf)
{
	struct bar_buffer *bar = dmabuf->priv;

	pci_dev_put(bar->pdev);
	kfree(bar);
	atomic_dec(&buffers);
}

static const struct dma_buf_ops bar_dynamic_ops = {
	.attach = bar_attach,
	.detach = bar_detach,
	.pin = bar_pin,
	.unpin = bar_unpin,
	.map_dma_buf = bar_map,
	.unmap_dma_buf = bar_unmap,
	.release = bar_release,
};

static const struct dma_buf_ops bar_static_ops = {
	.attach = bar_attach,
	.detach = bar_detach,
	.map_dma_buf = bar_map,
	.unmap_dma_buf = bar_unmap,
	.release = bar_release,
};

static int bar_export(struct bar_export *arg)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct bar_buffer *bar;
	struct dma_buf *dmabuf;
	resource_size_t length;
	int ret;

	if (arg->kind >= BAR_EXPORT_KINDS || arg->device >= 32 ||
	    arg->function >= 8 || arg->bar >= PCI_STD_NUM_BARS)
		return -EINVAL;
	bar = kzalloc(sizeof(*bar), GFP_KERNEL);
	if (!bar)
		return -ENOMEM;
	bar->pdev = pci_get_domain_bus_and_slot(arg->domain, arg->bus,
						PCI_DEVFN(arg->device,
							  arg->function));
	if (!bar->pdev) {
		ret = -ENODEV;
		goto err_free;
	}
	length = pci_resource_len(bar->pdev, arg->bar);
	if (!(pci_resource_flags(bar->pdev, arg->bar) & IORESOURCE_MEM) ||
	    !arg->size || !PAGE_ALIGNED(arg->offset | arg->size) ||
	    arg->offset > length || arg->size > length - arg->offset ||
	    arg->size > UINT_MAX) {
		ret = -EINVAL;
		goto err_put;
	}
	bar->start = pci_resource_start(bar->pdev, arg->bar) + arg->offset;
	bar->size = arg->size;
	bar->kind = arg->kind;

	info.ops = bar->kind == BAR_EXPORT_STATIC ? &bar_static_ops :
						    &bar_dynamic_ops;
	info.size = bar->size;
	info.flags = O_RDWR;
	info.priv = bar;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto err_put;
	}
	atomic_inc(&buffers);
	ret = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (ret < 0) {
		dma_buf_put(dmabuf);
		return ret;
	}
	arg->fd = ret;
	return 0;

err_put:
	pci_dev_put(bar->pdev);
err_free:
	kfree(bar);
	return ret;
}

static int bar_revoke(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct bar_buffer *bar;
	int ret = 0;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	if (dmabuf->ops == &bar_dynamic_ops) {
		bar = dmabuf->priv;
		dma_resv_lock(dmabuf->resv, NULL);
		bar->revoked = true;
		dma_buf_move_notify(dmabuf);
		dma_resv_unlock(dmabuf->resv);
	} else {
		ret = -EINVAL;
	}
	dma_buf_put(dmabuf);
	return ret;
}

static long bar_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	struct bar_export export;
	int ret;

	switch (cmd) {
	case BAR_EXPORT:
		if (copy_from_user(&export, argp, sizeof(export)))
			return -EFAULT;
		ret = bar_export(&export);
		/* The descriptor is there all the same, for who looks. */
		if (!ret && copy_to_user(argp, &export, sizeof(export)))
			ret = -EFAULT;
		return ret;
	case BAR_EXPORT_REVOKE:
		return bar_revoke(arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations bar_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = bar_ioctl,
};

static struct miscdevice bar_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "bar-export",
	.fops = &bar_fops,
	.mode = 0600,
};
module_misc_device(bar_device);

MODULE_DESCRIPTION("PCI BARs as dma-bufs, for tests");
MODULE_AUTHOR("The AiSIO authors");
MODULE_LICENSE("GPL");
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS("DMA_BUF");
#else
MODULE_IMPORT_NS(DMA_BUF);
#endif
