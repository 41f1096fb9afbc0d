package io.aisio.examples;

import io.aisio.fil.DeviceBlocks;
import io.aisio.fil.DirectFile;
import io.aisio.xal.Xal;
import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.util.Locale;
import java.util.zip.CRC32;

/** A file's CRC-32, read straight into one buffer: while one half of it is looked at, the other is being filled. */
final class DirectRead {
    private static final long HALF = 1 << 20;

    private DirectRead() {}

    public static void main(String[] arguments) throws IOException {
        try (Device device = Device.open(arguments[0]);
                DeviceBlocks blocks = DeviceBlocks.open(device);
                Xal xal = Xal.open(blocks);
                Buffer buffer = device.allocate(2 * HALF);
                DirectFile file = DirectFile.open(device, xal, arguments[1], buffer)) {
            CRC32 crc = new CRC32();
            long ticket = file.submit(0, 0, HALF);
            for (long at = 0, half = 0; at < file.size(); at += HALF, half = HALF - half) {
                long n = file.await(ticket);
                ticket = file.submit(at + HALF, HALF - half, HALF); // does not wait; behind the end it reads nothing
                crc.update(buffer.segment().asSlice(half, n).asByteBuffer());
            }
            System.out.printf(Locale.ROOT, "%08x\t%d\t%s%n", crc.getValue(), file.size(), file.file());
            System.out.println("read by: " + file.path());
        }
    }
}
