package io.aisio.linux.block;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.aisio.linux.Errno;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mapping;
import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * What a device's blocks say that they are: a file system, a partition table, a part of a volume. It is told by a few
 * bytes at known places, most of them in the first half MiB, some counted from the end.
 *
 * @param name such as {@code xfs}, as blkid(8) has it where it has one
 * @param offset of the bytes that told it, from the device's start
 */
public record Signature(String name, long offset) {
    /** How much is read of the start: all but the last of what is looked for lies below 256 KiB + 1 KiB. */
    private static final int HEAD_BYTES = 512 << 10;
    /** How much is read of the end: the last two labels of ZFS, 512 KiB, and rounding. */
    private static final int TAIL_BYTES = 1 << 20;

    /** Pages that swap may have been made for ({@code mm/Kconfig}), whose last ten bytes of the first one tell it. */
    private static final int[] PAGES = {4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10};

    /** {@code linux/raid/md_p.h}: MD_SB_MAGIC. */
    private static final int MD_SB_MAGIC = 0xa92b4efc;

    /** {@code include/sys/uberblock_impl.h} of OpenZFS: UBERBLOCK_MAGIC. */
    private static final long UBERBLOCK_MAGIC = 0x00bab10cL;

    /** {@code include/sys/vdev_impl.h} of OpenZFS: a label, and where in it its ring of uberblocks begins. */
    private static final int VDEV_LABEL = 256 << 10;

    private static final int VDEV_RING = 128 << 10;

    /**
     * Bytes at a place from the start.
     *
     * @param bytes as characters of ISO 8859-1
     */
    private record Magic(String name, int offset, String bytes) {
        static Magic hex(String name, int offset, String hex) {
            return new Magic(name, offset, new String(HexFormat.of().parseHex(hex), StandardCharsets.ISO_8859_1));
        }
    }

    private static final List<Magic> MAGICS = List.of(
            // fs/xfs/libxfs/xfs_format.h: XFS_SB_MAGIC.
            new Magic("xfs", 0, "XFSB"),
            // include/uapi/linux/btrfs_tree.h: BTRFS_MAGIC, 64 bytes into the superblock at 64 KiB.
            new Magic("btrfs", (64 << 10) + 64, "_BHRfS_M"),
            // cryptsetup, lib/luks2/luks2.h: both versions of the header; the second of LUKS 2 lies at 16 KiB or
            // further.
            Magic.hex("LUKS version 1", 0, "4c554b53babe0001"),
            Magic.hex("LUKS version 2", 0, "4c554b53babe0002"),
            Magic.hex("LUKS version 2 (second header)", 16 << 10, "534b554cbabe0002"),
            Magic.hex("LUKS version 2 (second header)", 32 << 10, "534b554cbabe0002"),
            // drivers/md/bcache: bcache_magic, in struct cache_sb at sector 8; bcachefs has the same place.
            Magic.hex("bcache", (4 << 10) + 24, "c68573f64e1a45ca8265f57f48ba6d81"),
            Magic.hex("bcachefs", (4 << 10) + 24, "c68573f666ce90a9d96a60cf803df7ef"),
            // include/linux/f2fs_fs.h: F2FS_SUPER_MAGIC; fs/erofs/erofs_fs.h: EROFS_SUPER_MAGIC_V1.
            Magic.hex("f2fs", 1024, "1020f5f2"),
            Magic.hex("erofs", 1024, "e2e1f5e0"),
            // fs/squashfs/squashfs_fs.h: SQUASHFS_MAGIC.
            new Magic("squashfs", 0, "hsqs"),
            // NTFS and exFAT: the OEM name in the boot sector; BitLocker puts its own there.
            new Magic("ntfs", 3, "NTFS    "),
            new Magic("exfat", 3, "EXFAT   "),
            new Magic("BitLocker", 3, "-FVE-FS-"),
            // Microsoft's FAT specification: BS_FilSysType.
            new Magic("vfat", 54, "FAT12   "),
            new Magic("vfat", 54, "FAT16   "),
            new Magic("vfat", 82, "FAT32   "),
            // ECMA-119 and ECMA-167: the volume recognition sequence from sector 16 of 2048 bytes.
            new Magic("iso9660", (32 << 10) + 1, "CD001"),
            new Magic("udf", (32 << 10) + 1, "BEA01"),
            // fs/jfs/jfs_superblock.h; fs/gfs2: GFS2_MAGIC; fs/nilfs2: NILFS_SUPER_MAGIC.
            new Magic("jfs", 32 << 10, "JFS1"),
            Magic.hex("gfs2", 64 << 10, "0116197000000001"),
            Magic.hex("nilfs2", 1024, "0200000000003434"),
            // Apple File System Reference: nx_magic, behind the object's header of 32 bytes.
            new Magic("apfs", 32, "NXSB"),
            // drivers/md/dm-integrity.c, dm-verity and VDO.
            new Magic("dm-integrity", 0, "integrt\0"),
            new Magic("dm-verity", 0, "verity\0\0"),
            new Magic("VDO", 0, "dmvdo001"),
            // Stratis: the first copy of the static header, in sector 1.
            Magic.hex("Stratis", 512 + 4, "21537472613074697386ff025e417268"),
            // Ceph's src/os/bluestore; SPDK's lib/blob/blobstore.h; Oracle ASM's disk header.
            new Magic("Ceph BlueStore", 0, "bluestore block device"),
            new Magic("SPDK blobstore", 0, "SPDKBLOB"),
            new Magic("Oracle ASM", 32, "ORCLDISK"),
            // fs/ocfs2/ocfs2_fs.h: block 2, of 512 bytes to 4 KiB.
            new Magic("ocfs2", 2 * 512, "OCFSV2"),
            new Magic("ocfs2", 2 * 1024, "OCFSV2"),
            new Magic("ocfs2", 2 * 2048, "OCFSV2"),
            new Magic("ocfs2", 2 * 4096, "OCFSV2"),
            // include/linux/swap.h and util-linux's mkswap: a hibernated system instead of the swap's own ten bytes.
            new Magic("hibernated system", PAGES[0] - 10, "S1SUSPEND\0"),
            new Magic("hibernated system", PAGES[0] - 10, "LINHIB0001"));

    /**
     * Reads a device past the kernel's cache, as far as that can be.
     *
     * @return what its blocks hold, without the partitions' own
     * @throws IOException if it cannot be opened or read
     */
    public static List<Signature> of(Path device) throws IOException {
        try (OpenFile file = open(device);
                Arena arena = Arena.ofConfined()) {
            long size = file.size();
            MemorySegment head = read(file, arena, 0, Math.min(size, HEAD_BYTES));
            // Where it is read past the cache, places are multiples of a page.
            long tailAt = Math.max(0, (size - TAIL_BYTES) / Mapping.PAGE_SIZE * Mapping.PAGE_SIZE);
            MemorySegment tail = read(file, arena, tailAt, size - tailAt);
            return find(new Bytes(size, head, tailAt, tail));
        }
    }

    private static OpenFile open(Path device) throws LinuxException {
        try {
            return OpenFile.openDirect(device, OpenFile.Access.READ_ONLY);
        } catch (LinuxException e) {
            if (e.errno() != Errno.EINVAL) {
                throw e;
            }
            // A file on a file system without direct I/O.
            return OpenFile.open(device, OpenFile.Access.READ_ONLY);
        }
    }

    /** A file's end need not be that of a block: it is asked for whole ones, and what there is comes. */
    private static MemorySegment read(OpenFile file, Arena arena, long position, long bytes) throws IOException {
        long whole = (bytes + Mapping.PAGE_SIZE - 1) / Mapping.PAGE_SIZE * Mapping.PAGE_SIZE;
        MemorySegment target = arena.allocate(Math.max(whole, 1), Mapping.PAGE_SIZE);
        long read = whole == 0 ? 0 : file.read(target, position);
        return target.asSlice(0, Math.min(read, bytes));
    }

    /** What of a device was read. What lies elsewhere, or behind its end, is like nothing. */
    private record Bytes(long size, MemorySegment head, long tailAt, MemorySegment tail) {
        /** @param expected as characters of ISO 8859-1 */
        boolean are(long offset, String expected) {
            for (int i = 0; i < expected.length(); i++) {
                if (at(offset + i) != expected.charAt(i)) {
                    return false;
                }
            }
            return true;
        }

        /** A byte, or -1. */
        int at(long offset) {
            if (offset >= 0 && offset < head.byteSize()) {
                return head.get(JAVA_BYTE, offset) & 0xFF;
            }
            long inTail = offset - tailAt;
            return inTail >= 0 && inTail < tail.byteSize() ? tail.get(JAVA_BYTE, inTail) & 0xFF : -1;
        }

        /** A little-endian number of up to 8 bytes; -1 if any of it was not read. */
        long little(long offset, int bytes) {
            long value = 0;
            for (int i = bytes - 1; i >= 0; i--) {
                int b = at(offset + i);
                if (b < 0) {
                    return -1;
                }
                value = value << 8 | b;
            }
            return value;
        }

        /** Whether a number is there, in either order of bytes. */
        boolean isNumber(long offset, long number, int bytes) {
            long little = little(offset, bytes);
            return little == number || Long.reverseBytes(little) >>> (64 - 8 * bytes) == number;
        }
    }

    private static List<Signature> find(Bytes bytes) {
        List<Signature> found = new ArrayList<>();
        for (Magic magic : MAGICS) {
            if (bytes.are(magic.offset(), magic.bytes())) {
                found.add(new Signature(magic.name(), magic.offset()));
            }
        }
        ext(bytes, found);
        swap(bytes, found);
        lvm(bytes, found);
        md(bytes, found);
        zfs(bytes, found);
        firmwareRaid(bytes, found);
        partitions(bytes, found);
        return List.copyOf(found);
    }

    /** {@code fs/ext4/ext4.h}, struct ext4_super_block at 1024: which ext it is, its features tell. */
    private static void ext(Bytes bytes, List<Signature> found) {
        int superblock = 1024;
        if (bytes.little(superblock + 0x38, 2) != 0xEF53) {
            return;
        }
        long compatible = bytes.little(superblock + 0x5C, 4);
        long incompatible = bytes.little(superblock + 0x60, 4);
        long readOnlyCompatible = bytes.little(superblock + 0x64, 4);
        boolean journal = (compatible & 0x4) != 0;
        // What ext3 does not know: anything but FILETYPE, RECOVER, META_BG; anything but SPARSE_SUPER, LARGE_FILE,
        // BTREE_DIR.
        boolean newer = (incompatible & ~0x1EL) != 0 || (readOnlyCompatible & ~0x7L) != 0;
        String name =
                (incompatible & 0x8) != 0 ? "external journal of ext4" : newer ? "ext4" : journal ? "ext3" : "ext2";
        found.add(new Signature(name, superblock + 0x38));
    }

    /** {@code include/linux/swap.h}, union swap_header: the last ten bytes of the first page. */
    private static void swap(Bytes bytes, List<Signature> found) {
        for (int page : PAGES) {
            if (bytes.are(page - 10, "SWAPSPACE2") || bytes.are(page - 10, "SWAP-SPACE")) {
                found.add(new Signature("swap", page - 10));
            }
        }
    }

    /** LVM2's {@code lib/label/label.h}: LABEL_ID in one of the first four sectors, and the type behind a header of 24 bytes. */
    private static void lvm(Bytes bytes, List<Signature> found) {
        for (int sector = 0; sector < 4; sector++) {
            if (bytes.are(sector * 512L, "LABELONE") && bytes.are(sector * 512L + 24, "LVM2 001")) {
                found.add(new Signature("LVM2 physical volume", sector * 512L));
            }
        }
    }

    /** {@code linux/raid/md_p.h} and {@code drivers/md/md.c}, super_90_load and super_1_load. */
    private static void md(Bytes bytes, List<Signature> found) {
        long sectors = bytes.size() / 512;
        long first = ((sectors - 16) & ~7L) * 512;
        long old = ((sectors & ~127L) - 128) * 512;
        String name = "member of an MD array, version ";
        if (bytes.isNumber(old, MD_SB_MAGIC & 0xFFFF_FFFFL, 4)) {
            found.add(new Signature(name + "0.90", old));
        }
        if (bytes.little(first, 4) == (MD_SB_MAGIC & 0xFFFF_FFFFL)) {
            found.add(new Signature(name + "1.0", first));
        }
        if (bytes.little(0, 4) == (MD_SB_MAGIC & 0xFFFF_FFFFL)) {
            found.add(new Signature(name + "1.1", 0));
        }
        if (bytes.little(4096, 4) == (MD_SB_MAGIC & 0xFFFF_FFFFL)) {
            found.add(new Signature(name + "1.2", 4096));
        }
    }

    /** Two labels at the start and two at the end, each with a ring of uberblocks of 1 KiB or more. */
    private static void zfs(Bytes bytes, List<Signature> found) {
        long end = bytes.size() / VDEV_LABEL * VDEV_LABEL;
        for (long label : new long[] {0, VDEV_LABEL, end - 2L * VDEV_LABEL, end - VDEV_LABEL}) {
            for (int slot = VDEV_RING; slot < VDEV_LABEL; slot += 1024) {
                if (bytes.isNumber(label + slot, UBERBLOCK_MAGIC, 8)) {
                    found.add(new Signature("member of a ZFS pool", label + slot));
                    return;
                }
            }
        }
    }

    /** mdadm's {@code super-intel.c}, in the second sector from the end; SNIA's DDF, whose header is the last one. */
    private static void firmwareRaid(Bytes bytes, List<Signature> found) {
        for (int sector : new int[] {512, 4096}) {
            long intel = (bytes.size() / sector - 2) * sector;
            if (bytes.are(intel, "Intel Raid ISM Cfg Sig. ")) {
                found.add(new Signature("member of an Intel RAID (VROC)", intel));
            }
        }
        long ddf = bytes.size() - 512;
        if (bytes.isNumber(ddf, 0xDE11DE11L, 4)) {
            found.add(new Signature("member of a DDF RAID", ddf));
        }
    }

    /** UEFI specification, 5.2 and 5.3: the legacy MBR, and the GPT's header in the second block and the last one. */
    private static void partitions(Bytes bytes, List<Signature> found) {
        for (int block : new int[] {512, 4096}) {
            long last = (bytes.size() / block - 1) * block;
            if (bytes.are(block, "EFI PART")) {
                found.add(new Signature("GPT partition table", block));
            } else if (bytes.are(last, "EFI PART")) {
                found.add(new Signature("GPT partition table (backup)", last));
            }
        }
        if (bytes.little(510, 2) != 0xAA55 || found.stream().anyMatch(one -> isBoot(one.name()))) {
            // A boot sector of FAT or NTFS ends alike, and what is where entries would be is its code.
            return;
        }
        boolean used = false;
        for (int entry = 446; entry < 510; entry += 16) {
            int active = bytes.at(entry);
            if (active != 0 && active != 0x80) {
                return;
            }
            used |= bytes.at(entry + 4) != 0;
        }
        if (used) {
            found.add(new Signature("MBR partition table", 510));
        }
    }

    private static boolean isBoot(String name) {
        return name.equals("ntfs") || name.equals("exfat") || name.equals("vfat") || name.startsWith("GPT");
    }
}
