/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * udmabuf-import: DMA addresses of a dma-buf, for a device that is driven from
 * user space. README.md has the interface in words.
 *
 * The structures are the same for 32-bit and 64-bit processes. Every field that
 * is not an input is ignored; flags must be 0.
 */
#ifndef _UAPI_UDMABUF_IMPORT_H
#define _UAPI_UDMABUF_IMPORT_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define UDMABUF_IMPORT_NODE		"/dev/udmabuf-import"

/* What one open file may have at once. */
#define UDMABUF_IMPORT_MAX_IMPORTS	1024
#define UDMABUF_IMPORT_MAX_SEGMENTS	(1U << 20)

/**
 * struct udmabuf_import_attach - argument of UDMABUF_IMPORT_ATTACH
 * @fd: in: the dma-buf; it may be closed once this has succeeded
 * @flags: in: 0
 * @domain: in: PCI domain of the function that will access the memory
 * @bus: in: its bus
 * @device: in: its device, below 32
 * @function: in: its function, below 8
 * @dma_bits: in: how many address bits it drives, 32 to 64
 * @handle: out: the import, in this open file alone; never 0
 * @count: out: segments that the memory has for the function, at least 1
 * @size: out: bytes of the memory, the sum of all segments' lengths
 */
struct udmabuf_import_attach {
	__s32 fd;
	__u32 flags;
	__u32 domain;
	__u8 bus;
	__u8 device;
	__u8 function;
	__u8 dma_bits;
	__u32 handle;
	__u32 count;
	__u64 size;
};

/**
 * struct udmabuf_import_segment - memory in a row, as the function sees it
 * @address: DMA address of its first byte
 * @length: bytes
 */
struct udmabuf_import_segment {
	__u64 address;
	__u64 length;
};

/**
 * struct udmabuf_import_get_map - argument of UDMABUF_IMPORT_GET_MAP
 * @handle: in: the import
 * @first: in: index of the first segment that is wanted, at most the count
 * @count: in: room in @segments; out: how many segments were stored
 * @flags: in: 0
 * @segments: in: address of an array of struct udmabuf_import_segment
 */
struct udmabuf_import_get_map {
	__u32 handle;
	__u32 first;
	__u32 count;
	__u32 flags;
	__u64 segments;
};

#define UDMABUF_IMPORT_ATTACH	_IOWR('u', 0x47, struct udmabuf_import_attach)
/* The argument points to the handle. */
#define UDMABUF_IMPORT_DETACH	_IOW('u', 0x48, __u32)
#define UDMABUF_IMPORT_GET_MAP	_IOWR('u', 0x49, struct udmabuf_import_get_map)

#endif /* _UAPI_UDMABUF_IMPORT_H */
