package io.aisio.examples;

import io.aisio.xnvme.Buffer;
import io.aisio.xnvme.Device;
import java.io.IOException;
import java.util.HexFormat;

/** Blocks, simply: one line opens any path, one call reads. */
final class ReadBlocks {
    private ReadBlocks() {}

    public static void main(String[] arguments) throws IOException {
        try (Device device = Device.open(arguments[0]);
                Buffer buffer = device.allocate(4096)) {
            device.read(0 /* LBA */, buffer);

            byte[] first = new byte[16];
            buffer.segment().asByteBuffer().get(first);
            System.out.println(HexFormat.ofDelimiter(" ").formatHex(first));
            System.out.println("read by: " + device.path());
        }
    }
}
