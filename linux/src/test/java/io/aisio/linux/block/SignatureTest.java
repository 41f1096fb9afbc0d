package io.aisio.linux.block;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SignatureTest {
    private static final long BYTES = 320L << 20;

    @TempDir
    Path folder;

    private Path image(long bytes) throws IOException {
        Path image = folder.resolve("image");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(bytes);
        }
        return image;
    }

    private static void put(Path image, long offset, byte[] bytes) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.seek(offset);
            file.write(bytes);
        }
    }

    private static List<String> names(Path image) throws IOException {
        return Signature.of(image).stream().map(Signature::name).toList();
    }

    private static Path tool(String name) {
        Path program = Stream.of("/usr/sbin", "/sbin", "/usr/bin")
                .map(folder -> Path.of(folder, name))
                .filter(Files::isExecutable)
                .findFirst()
                .orElse(null);
        assumeTrue(program != null, "needs " + name);
        return program;
    }

    private static String run(Path input, Object... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(
                        Arrays.stream(command).map(Object::toString).toList())
                .redirectErrorStream(true)
                .redirectInput(input.toFile())
                .start();
        String said = new String(process.getInputStream().readAllBytes(), ISO_8859_1);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("ends").isTrue();
        return said;
    }

    @ParameterizedTest
    @CsvSource(textBlock = """
                    mkfs.xfs,    -q,               xfs
                    mkfs.ext4,   -q,               ext4
                    mkfs.ext3,   -q,               ext3
                    mkfs.ext2,   -q,               ext2
                    mkfs.btrfs,  -q,               btrfs
                    mkfs.f2fs,   -q,               f2fs
                    mkfs.vfat,   -F32,             vfat
                    mkfs.vfat,   -F16,             vfat
                    mkfs.ntfs,   -FqQ,             ntfs
                    mkfs.exfat,  --volume-label=x, exfat
                    mkfs.jfs,    -q,               jfs
                    mkfs.nilfs2, -q,               nilfs2
                    mkswap,      -p4096,           swap
                    mkswap,      -p65536,          swap
                    pvcreate,    -y,               LVM2 physical volume
                    """)
    void knowsWhatToolsMake(String program, String option, String name) throws IOException, InterruptedException {
        Path image = image(BYTES);
        String said = run(Path.of("/dev/null"), tool(program), option, image);
        assumeTrue(!(program.equals("pvcreate") && names(image).isEmpty()), "needs device mapper");
        assertThat(names(image)).as(said).containsExactly(name);
    }

    @ParameterizedTest
    @CsvSource({"luks1, LUKS version 1", "luks2, LUKS version 2"})
    void knowsEncryption(String type, String name) throws IOException, InterruptedException {
        Path image = image(BYTES);
        Path key = Files.writeString(folder.resolve("key"), "secret");
        String said = run(
                Path.of("/dev/null"),
                tool("cryptsetup"),
                "luksFormat",
                "-q",
                "--disable-locks",
                "--pbkdf=pbkdf2",
                "--pbkdf-force-iterations=1000",
                "--type=" + type,
                image,
                key);
        assertThat(names(image)).as(said).contains(name);
    }

    @ParameterizedTest
    @CsvSource({"gpt, GPT partition table", "dos, MBR partition table"})
    void knowsPartitionTables(String label, String name) throws IOException, InterruptedException {
        Path image = image(BYTES);
        Path script = Files.writeString(folder.resolve("script"), "label: " + label + "\n,100M\n");
        String said = run(script, tool("sfdisk"), "-q", image);
        assertThat(names(image)).as(said).containsExactly(name);
        if (label.equals("gpt")) {
            put(image, 512, new byte[512]);
            assertThat(names(image)).contains("GPT partition table (backup)");
        }
    }

    /** What cannot be made on a machine without the drivers, put where this believes it to be: blkid must say the same. */
    @ParameterizedTest
    @CsvSource(textBlock = """
                    0,         4c554b53babe0001,                   crypto_LUKS
                    65600,     5f42485266535f4d,                   btrfs
                    4096,      fc4e2ba901000000,                   linux_raid_member
                    0,         fc4e2ba901000000,                   linux_raid_member
                    335536128, fc4e2ba901000000,                   linux_raid_member
                    335478784, fc4e2ba9000000005a000000,           linux_raid_member
                    4120,      c68573f64e1a45ca8265f57f48ba6d81,   bcache
                    0,         68737173,                           squashfs
                    1024,      e2e1f5e0,                           erofs
                    32769,     4344303031,                         iso9660
                    516,       21537472613074697386ff025e417268,   stratis
                    0,         696e746567727400,                   DM_integrity
                    0,         7665726974790000,                   DM_verity_hash
                    0,         646d76646f303031,                   vdo
                    65536,     0116197000000001,                   gfs2
                    8192,      4f4346535632,                       ocfs2
                    32,        4e585342,                           apfs
                    3,         2d4656452d46532d,                   BitLocker
                    """)
    void findsSignaturesWhereBlkidDoes(long offset, String hex, String type) throws IOException, InterruptedException {
        Path image = image(BYTES);
        put(image, offset, HexFormat.of().parseHex(hex));
        List<String> names = names(image);
        assertThat(names).isNotEmpty();
        String said = run(Path.of("/dev/null"), tool("blkid"), "-p", "-o", "export", image);
        // Those that blkid checks further, it calls nothing; what it names must be what was meant.
        if (said.contains("TYPE=")) {
            assertThat(said).as(names.toString()).contains("TYPE=" + type);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 511, 512, 4095, 4096, 65536, 262144, 1 << 20, (1 << 20) + 512, (5 << 20) + 4097})
    void findsNothingInZeroesOfAnySize(long bytes) throws IOException {
        assertThat(Signature.of(image(bytes))).isEmpty();
    }

    @Test
    void findsAPoolOfZfsByAnyOfItsLabels() throws IOException {
        long end = BYTES / (256 << 10) * (256 << 10);
        for (long label : new long[] {0, 256 << 10, end - (512 << 10), end - (256 << 10)}) {
            Files.deleteIfExists(folder.resolve("image"));
            Path image = image(BYTES + 4096);
            put(image, label + (128 << 10) + 5 * 4096, HexFormat.of().parseHex("0cb1ba0000000000"));
            assertThat(Signature.of(image))
                    .containsExactly(new Signature("member of a ZFS pool", label + (128 << 10) + 5 * 4096));
        }
    }

    @Test
    void findsFirmwaresRaid() throws IOException {
        Path image = image(BYTES);
        put(image, BYTES - 1024, "Intel Raid ISM Cfg Sig. 1.3.00".getBytes(ISO_8859_1));
        assertThat(names(image)).containsExactly("member of an Intel RAID (VROC)");
        put(image, BYTES - 1024, new byte[1024]);
        put(image, BYTES - 512, HexFormat.of().parseHex("de11de11"));
        assertThat(names(image)).containsExactly("member of a DDF RAID");
    }

    @Test
    void doesNotTakeABootSectorForAPartitionTable() throws IOException {
        Path image = image(BYTES);
        put(image, 510, new byte[] {0x55, (byte) 0xAA});
        assertThat(names(image)).isEmpty();
        put(image, 446, new byte[] {0x33, 0, 0, 0, (byte) 0x83});
        assertThat(names(image)).isEmpty();
        put(image, 446, new byte[] {0, 0, 0, 0, (byte) 0x83});
        assertThat(names(image)).containsExactly("MBR partition table");
    }

    @RepeatedTest(20)
    void survivesAnyBytes() throws IOException {
        byte[] bytes = new byte[RandomGenerator.getDefault().nextInt(3 << 20)];
        RandomGenerator.getDefault().nextBytes(bytes);
        Path image = Files.write(folder.resolve("image"), bytes);
        assertThat(Signature.of(image))
                .allSatisfy(found -> assertThat(found.offset()).isBetween(0L, (long) bytes.length));
    }
}
