package io.aisio.xal.xfs;

import static org.assertj.core.api.Assertions.assertThat;

import io.aisio.xal.Comparison;
import io.aisio.xal.Entry;
import io.aisio.xal.FileBlocks;
import io.aisio.xal.FileType;
import io.aisio.xal.Xal;
import io.aisio.xal.XfsImage;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every size and feature that mkfs.xfs offers, with trees of every shape, against the kernel and xfs_db. */
@Tag("root")
@Tag("slow")
class KernelMatrixTest {
    @TempDir
    private Path folder;

    /** Trees of every shape. Given: blocks of {@code $block} bytes. */
    private static final String FILL = """
            block=$(stat -fc %S .)
            # Sets $x to so many letters. No process is started where many are made.
            x() { printf -v x '%*s' $1 ''; x=${x// /x}; }

            # Directories: deep, empty, in the inode, of one block, of several, of many, and of scattered blocks.
            mkdir $(for i in 3 15 150; do echo names-$i; done) lengths holes many scattered scattered2 empty
            deep=.; for i in {1..200}; do deep=$deep/d$i; done; mkdir -p $deep; : > $deep/bottom
            for i in 3 15 150; do (cd names-$i; touch $(seq -f name-%g $i)); done
            (cd lengths; for i in {1..255}; do x $i; echo $i > $x; done)
            (cd many; seq -f "a-name-of-some-length-%g" 3000 | xargs touch)
            (cd holes; seq -f "a-name-of-some-length-%g" 3000 | xargs touch; rm a-name-of-some-length-1*
             rm $(seq -f "a-name-of-some-length-%g" 300 7 3000 | grep -v length-1))
            # In turns, with little room for extents beside attributes, so that their map becomes a tree.
            x 200; setfattr -n user.room -v $x scattered scattered2
            for i in {1..300}; do
                for d in scattered scattered2; do : > $d/$x-$i; done
            done

            # Files of 1, 20, 500 extents; sparse, unwritten, allocated behind their end, cut and collapsed.
            alternate() {
                for ((i = 0; i < $2; i++)); do echo "fpunch $(((2 * i + 1) * block)) $block"; done > ../commands
                xfs_io -f -c "pwrite -S 7 0 $((2 * $2 * block - 100))" $1 > /dev/null
                xfs_io $1 < ../commands > /dev/null
            }
            alternate one 1; alternate twenty 20; alternate five-hundred 500
            xfs_io -f -c "pwrite -S 1 50m 3333" -c "pwrite -S 2 90m 1" -c "truncate 100m" sparse > /dev/null
            xfs_io -f -c "falloc 0 1m" -c "pwrite -S 3 256k 64k" -c "pwrite -S 4 777777 3333" unwritten > /dev/null
            xfs_io -f -c "falloc -k 0 1m" -c "pwrite -S 5 0 10001" kept > /dev/null
            xfs_io -f -c "pwrite -S 6 0 1m" -c "fcollapse 128k 128k" -c "finsert 256k 64k" -c "fzero 512k 64k" \\
                -c "truncate 700001" mixed > /dev/null
            for i in {0..60}; do echo "falloc $((i * 2 * block)) $block"; done | xfs_io -f many-unwritten > /dev/null
            : > nothing; echo x > byte

            # Shared blocks, where there can be any; hard links, devices, pipes.
            cp --reflink=auto five-hundred shared
            xfs_io -c "pwrite -S 8 $((4 * block)) $((3 * block))" shared > /dev/null
            cp --reflink=auto mixed shared2; cp --reflink=auto shared2 shared3
            for i in {1..20}; do cp -l byte link-$i; done; ln -s byte link-21; ln link-21 link-22
            mknod disk b 259 70000; mknod null c 1 3; mkfifo pipe

            # Symbolic links that fit into the inode, and that do not; with attributes beside them.
            for i in 1 2 60 150 255 330 336 337 500 840 849 968 969 1000 1023; do
                x $i; ln -s $x to-$i; ln -s $x attributed-$i
            done
            x 100; setfattr -h -n trusted.a -v $x attributed-*

            # Attributes in the inode, in a block, in many.
            for size in 10 100 300 1000 3000 20000 60000; do
                for kind in file dir; do
                    name=attributes-$kind-$size
                    if [ $kind = dir ]; then mkdir $name; touch $name/a $name/b; else alternate $name 12; fi
                    x $size; setfattr -n user.one -v $x $name
                    setfattr -n user.two -v ${x:0:50} $name
                done
            done
            (cd attributes-dir-60000; touch $(seq 2000))
            chown 4000000000:70000 byte; chmod 6751 one; touch -d 1990-05-06T07:08:09.123456789Z twenty
            # What was removed leaves inodes and blocks that must not be found.
            mkdir gone; (cd gone; touch $(seq 500)); rm -r gone; rm names-150/name-7*
            """;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-b size=1024 -i size=512,nrext64=0 -m bigtime=0,rmapbt=0,reflink=0,finobt=0,inobtcount=0 -n size=4096",
                "-b size=1024 -i size=512,nrext64=1 -m rmapbt=1,reflink=1 -n size=65536 -d agcount=7",
                "-b size=2048 -i size=1024,nrext64=1 -m reflink=1 -n size=16384",
                "-b size=4096",
                "-b size=4096 -i size=1024,sparse=0,nrext64=1 -m reflink=0,rmapbt=1 -n size=32768",
                "-s size=4096 -b size=4096 -i size=512 -d su=64k,sw=4 -l su=64k",
                "-b size=16384 -i size=2048,nrext64=1",
                "-b size=65536 -i size=512 -n size=65536 -m rmapbt=1",
            })
    void agreesWithTheKernel(String options) throws Exception {
        Path image = XfsImage.empty(folder, options.split(" ", -1)).path();
        try (MountedXfs xfs = MountedXfs.of(image, folder)) {
            xfs.fill(FILL);
            Comparison.Counts counts = xfs.agrees(options);
            assertThat(counts.entries()).isGreaterThan(8_000);
            assertThat(counts.bytes()).isGreaterThan(100 << 20);
            agreesWithXfsDb(xfs);
            if (options.contains("agcount=7")) {
                // Another UUID for the owner's eyes, which metadata does not carry.
                XfsImage.run(List.of("xfs_admin", "-U", "generate", image.toString()));
                xfs.agrees(options + ", another UUID");
            }
        }
    }

    private static final List<String> FIELDS = List.of(
            "core.mode",
            "core.format",
            "core.nlinkv2",
            "core.size",
            "core.nblocks",
            "core.gen",
            "core.forkoff",
            "core.aformat");

    /** A sample of inodes, as xfs_db prints them; and that they are of all the forms that there are. */
    private static void agreesWithXfsDb(MountedXfs xfs) throws Exception {
        Map<Long, String> ours = new TreeMap<>();
        Set<InodeCore.Format> directories = EnumSet.noneOf(InodeCore.Format.class);
        Set<InodeCore.Format> files = EnumSet.noneOf(InodeCore.Format.class);
        Set<InodeCore.Format> links = EnumSet.noneOf(InodeCore.Format.class);
        try (FileBlocks blocks = FileBlocks.open(xfs.image());
                MetadataReader reader = new MetadataReader(blocks);
                Xal xal = Xal.open(blocks)) {
            Geometry geometry = Superblock.read("image", reader, blocks.size());
            List<Entry> entries = new ArrayList<>();
            xal.walk("/", new Xal.Visitor() {
                @Override
                public void visit(Entry entry) {
                    entries.add(entry);
                }

                @Override
                public void damaged(String path, IOException problem) throws IOException {
                    throw problem;
                }
            });
            for (int i = 0; i < entries.size(); i++) {
                long number = entries.get(i).inode().number();
                long at = geometry.inodePosition(number);
                var s = reader.read(at, geometry.inodeSize());
                InodeCore core = InodeCore.parse(geometry, number, s, geometry.where("inode", number, at));
                switch (core.inode().type()) {
                    case DIRECTORY -> directories.add(core.format());
                    case REGULAR -> files.add(core.format());
                    case SYMLINK -> links.add(core.format());
                    default -> {}
                }
                // All in the root, and some of the others.
                if (i % 50 == 0 || entries.get(i).path().lastIndexOf('/') == 0) {
                    ours.put(
                            number,
                            printed(core, s, xal.attributes(entries.get(i)).allocated() >> geometry.blockLog()));
                }
            }
        }
        assertThat(ours).hasSizeGreaterThan(100);
        assertThat(xfs.inodes(List.copyOf(ours.keySet()), FIELDS)).isEqualTo(ours);
        assertThat(directories).contains(InodeCore.Format.LOCAL, InodeCore.Format.EXTENTS);
        assertThat(files).containsExactlyInAnyOrder(InodeCore.Format.EXTENTS, InodeCore.Format.BTREE);
        assertThat(links).contains(InodeCore.Format.LOCAL);
    }

    private static String printed(InodeCore core, java.lang.foreign.MemorySegment s, long blocks) {
        String format = switch (core.format()) {
            case DEVICE -> "0 (dev)";
            case LOCAL -> "1 (local)";
            case EXTENTS -> "2 (extents)";
            case BTREE -> "3 (btree)";
        };
        String attributes = switch (OnDisk.u8(s, 83)) {
            case 1 -> "1 (local)";
            case 2 -> "2 (extents)";
            default -> "3 (btree)";
        };
        return "core.mode=0%o core.format=%s core.nlinkv2=%d core.size=%d core.nblocks=%d core.gen=%d core.forkoff=%d core.aformat=%s"
                .formatted(
                        OnDisk.u16(s, InodeCore.MODE),
                        format,
                        core.inode().links(),
                        core.inode().size(),
                        blocks,
                        Integer.toUnsignedLong(core.inode().generation()),
                        OnDisk.u8(s, InodeCore.FORKOFF),
                        attributes);
    }

    @Test
    void readsAFileOfAHundredThousandExtents() throws Exception {
        Path image = XfsImage.empty(folder, "-b", "size=1024").path();
        try (MountedXfs xfs = MountedXfs.of(image, folder)) {
            xfs.fill("""
                    for i in $(seq 0 99999); do echo "fpunch $((i * 2048)) 1k"; done > ../commands
                    xfs_io -f -c "pwrite -S 9 0 200m" huge > /dev/null
                    xfs_io huge < ../commands > /dev/null
                    """);
            assertThat(xfs.agrees("100,000 extents").extents()).isEqualTo(100_000);
            try (FileBlocks blocks = FileBlocks.open(image);
                    Xal xal = Xal.open(blocks)) {
                assertThat(xal.extents(xal.lookup("/huge"))).hasSize(100_000);
            }
        }
    }

    /** Sparse, and so large that inodes of its later allocation groups need more than 32 bits. */
    @Test
    void readsInodeNumbersOfMoreThan32Bits() throws Exception {
        Path image = folder.resolve("large.img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(5L << 40);
        }
        XfsImage.run(List.of("mkfs.xfs", "-q", "-K", "-l", "size=64m", image.toString()));
        try (MountedXfs xfs = MountedXfs.of(image, folder)) {
            xfs.fill("""
                    mkdir $(seq -f d%g 20)
                    for d in d*; do (cd $d; mkdir a bb; echo x > c; ln c dddd; ln -s c e; ln -s $(printf 'x%.0s' $(seq 900)) far); done
                    mkdir mixed; i=0; for d in d*; do i=$((i + 1)); ln $d/c mixed/$i; done
                    mkdir -p d7/many; (cd d7/many; touch $(seq 2000))
                    for d in d*; do mv $d/bb mixed/from-$d; done
                    """);
            assertThat(xfs.agrees("5 TiB").entries()).isGreaterThan(2_000);
            try (FileBlocks blocks = FileBlocks.open(image);
                    MetadataReader reader = new MetadataReader(blocks);
                    Xal xal = Xal.open(blocks)) {
                Geometry geometry = Superblock.read("image", reader, blocks.size());
                int large = 0;
                for (int i = 1; i <= 20; i++) {
                    long number = xal.lookup("/d" + i).inode().number();
                    long at = geometry.inodePosition(number);
                    InodeCore core = InodeCore.parse(
                            geometry,
                            number,
                            reader.read(at, geometry.inodeSize()),
                            geometry.where("inode", number, at));
                    if (core.format() == InodeCore.Format.LOCAL
                            && OnDisk.u8(core.fork(), ShortDirectory.I8COUNT) != 0) {
                        large++;
                        assertThat(xal.lookup("/d" + i + "/a").type()).isEqualTo(FileType.DIRECTORY);
                    }
                }
                assertThat(large)
                        .as("directories in inodes with 8 bytes a number")
                        .isPositive();
            }
        }
    }

    /** A file that has its own blocks again and again claims more of them than the device has. */
    @Test
    void countsBlocksThatAFileSharesWithItself() throws Exception {
        Path image = XfsImage.empty(folder, "-m", "reflink=1").path();
        try (MountedXfs xfs = MountedXfs.of(image, folder)) {
            xfs.fill("""
                    xfs_io -f -c "pwrite -S 9 0 16m" file > /dev/null
                    for i in $(seq 0 6); do xfs_io -c "reflink file 0 $((16 << i))m $((16 << i))m" file > /dev/null; done
                    """);
            xfs.agrees("shared with itself");
            try (FileBlocks blocks = FileBlocks.open(image);
                    Xal xal = Xal.open(blocks)) {
                Entry file = xal.lookup("/file");
                assertThat(file.inode().size()).isEqualTo(2L << 30);
                assertThat(xal.attributes(file).allocated()).isGreaterThan(blocks.size());
            }
        }
    }
}
