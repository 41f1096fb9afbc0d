package io.aisio.xnvme;

import io.aisio.xnvme.spi.Backend;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Files and block devices through the kernel, and namespaces that it gives NVMe commands to: scheme {@code file}. Options:
 *
 * <ul>
 *   <li>{@code readonly}: refuse writes
 *   <li>{@code lba=SIZE}: the logical block, a device's own or 512 bytes if not given; not of {@code /dev/ngXnY}
 *   <li>{@code path=uring|pread}: how commands get to the kernel; io_uring where it can be, if not given
 *   <li>{@code direct}, {@code buffered}: past its page cache or through it; past it where that can be, if neither is given
 *   <li>{@code sqpoll}: a thread of the kernel's takes commands; {@code iopoll}: the kernel polls the device
 * </ul>
 *
 * <p>What is asked for and cannot be is an error; what is chosen here and cannot be is told by {@link Device#path()}.
 */
public final class FileBackend implements Backend {
    /** Made by the service loader. */
    public FileBackend() {}

    @Override
    public String scheme() {
        return "file";
    }

    @Override
    public Device open(DeviceUri uri) throws IOException {
        FileOptions options = FileOptions.of(uri);
        return PassthroughDevice.serves(Path.of(uri.target()))
                ? PassthroughDevice.open(options)
                : FileDevice.open(options);
    }
}
