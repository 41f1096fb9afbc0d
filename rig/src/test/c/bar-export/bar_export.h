/* SPDX-License-Identifier: GPL-2.0 */
/* The interface of bar-export, a module for tests alone. */
#ifndef _BAR_EXPORT_H
#define _BAR_EXPORT_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum bar_export_kind {
	/* Can be pinned, and tells its importers when it is revoked. */
	BAR_EXPORT_DYNAMIC,
	/* Knows nothing of pins. */
	BAR_EXPORT_STATIC,
	/* May move at any time: refuses to be pinned. */
	BAR_EXPORT_UNPINNABLE,
	/* As dynamic, page by page from the last to the first. */
	BAR_EXPORT_SCATTERED,
	/* As dynamic, and tells of a page too few. */
	BAR_EXPORT_SHORT,
	/* As dynamic, and tells of half pages. */
	BAR_EXPORT_UNALIGNED,
	/* As dynamic, and cannot be mapped. */
	BAR_EXPORT_UNMAPPABLE,
	BAR_EXPORT_KINDS,
};

/* In: a range of a BAR, in whole pages. Out: a descriptor of a dma-buf. */
struct bar_export {
	__u32 domain;
	__u8 bus;
	__u8 device;
	__u8 function;
	__u8 bar;
	__u64 offset;
	__u64 size;
	__u32 kind;
	__s32 fd;
};

#define BAR_EXPORT		_IOWR('B', 1, struct bar_export)
/* Takes the memory back from all importers. The argument is a descriptor. */
#define BAR_EXPORT_REVOKE	_IO('B', 2)

#endif /* _BAR_EXPORT_H */
