package io.aisio.linux;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * Makes, starts, stops and removes block devices that are served in user space, through {@code /dev/ublk-control}.
 *
 * <pre>
 *   add ─► setParameters ─► every queue fetches ({@link UblkQueue}) ─► start ─► … ─► stop ─► queues closed ─► delete
 *                                                                      │
 *                        the server dies ─► quiesced ─► startRecovery ─► every queue fetches ─► endRecovery
 * </pre>
 *
 * <p>Any thread may call, several at once: each command has an io_uring of its own, for some wait for others. All need
 * CAP_SYS_ADMIN.
 */
public final class UblkControl implements AutoCloseable {
    private static final Path CONTROL = Path.of("/dev/ublk-control");
    private static final Path DEVICES = Path.of("/sys/class/ublk-char");

    private final OpenFile file;

    private UblkControl(OpenFile file) {
        this.file = file;
    }

    /** Whether the kernel has it: built in, or its module {@code ublk_drv} is loaded. */
    public static boolean isThere() {
        return Files.exists(CONTROL);
    }

    /**
     * Opens it.
     *
     * @throws LinuxException {@code ENOENT} if the kernel has it not, or the module {@code ublk_drv} is not loaded; {@code
     *     EACCES} if this is not root
     */
    public static UblkControl open() throws LinuxException {
        return new UblkControl(OpenFile.open(CONTROL, OpenFile.Access.READ_WRITE));
    }

    /**
     * The flags that the kernel knows ({@link UblkInfo}); 0 if it is older than 6.5 and does not tell.
     *
     * @throws LinuxException if the kernel refuses otherwise
     */
    public long features() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment features = arena.allocate(ValueLayout.JAVA_LONG);
            execute("GET_FEATURES", Ublk.GET_FEATURES, 0, features, 0);
            return features.get(ValueLayout.JAVA_LONG, 0);
        } catch (LinuxException e) {
            if (e.errno() == Errno.EOPNOTSUPP || e.errno() == Errno.ENODEV || e.errno() == Errno.EINVAL) {
                return 0;
            }
            throw e;
        }
    }

    /** The numbers of all devices that there are, in any state, ascending. */
    public static List<Integer> devices() throws IOException {
        TreeSet<Integer> ids = new TreeSet<>();
        if (Files.isDirectory(DEVICES)) {
            try (DirectoryStream<Path> found = Files.newDirectoryStream(DEVICES, "ublkc*")) {
                for (Path device : found) {
                    String name = device.getFileName().toString();
                    if (name.matches("ublkc\\d{1,9}")) {
                        ids.add(Integer.parseInt(name.substring(5)));
                    }
                }
            }
        }
        return new ArrayList<>(ids);
    }

    /**
     * Makes a device; nothing shows of it but {@code /dev/ublkcN}.
     *
     * @param wanted what it is to be; state and process are not looked at
     * @return what it is: flags that the kernel lacks are gone, and there are no more queues than processors
     * @throws LinuxException {@code EEXIST} if the number is taken
     */
    public UblkInfo add(UblkInfo wanted) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(Ublk.INFO_BYTES, Long.BYTES);
            wanted.write(info);
            execute("ADD_DEV", Ublk.ADD_DEV, wanted.id(), info, 0);
            return UblkInfo.read(info);
        }
    }

    /**
     * What the kernel knows of a device.
     *
     * @throws LinuxException {@code ENODEV} if there is none of this number
     */
    public UblkInfo info(int id) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(Ublk.INFO_BYTES, Long.BYTES);
            execute("GET_DEV_INFO", Ublk.GET_DEV_INFO, id, info, 0);
            return UblkInfo.read(info);
        }
    }

    /**
     * Says what a device looks like, before it is started.
     *
     * @throws LinuxException {@code EINVAL} if the kernel cannot have it so, {@code EACCES} if it was started
     */
    public void setParameters(int id, UblkParameters parameters) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment params = arena.allocate(Ublk.PARAMS_BYTES, Long.BYTES);
            parameters.write(params);
            execute("SET_PARAMS", Ublk.SET_PARAMS, id, params, 0);
        }
    }

    /** What a device looks like, as it was {@linkplain #setParameters said}. */
    public UblkParameters parameters(int id) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment params = arena.allocate(Ublk.PARAMS_BYTES, Long.BYTES);
            params.set(ValueLayout.JAVA_INT, Ublk.PARAMS_LEN, Ublk.PARAMS_BYTES);
            execute("GET_PARAMS", Ublk.GET_PARAMS, id, params, 0);
            return UblkParameters.read(params);
        }
    }

    /**
     * Makes {@code /dev/ublkbN}. Waits until each queue has fetched for all tags, and for reads of its partition table, which
     * are to be served meanwhile.
     *
     * @throws LinuxException if the kernel refuses
     */
    public void start(int id) throws LinuxException {
        execute(
                "START_DEV",
                Ublk.START_DEV,
                id,
                MemorySegment.NULL,
                ProcessHandle.current().pid());
    }

    /**
     * Removes {@code /dev/ublkbN}, whoever has it open. Waits for requests in flight, which are to be served meanwhile;
     * what waits for requests ({@link UblkQueue}) ends.
     *
     * @throws LinuxException if the kernel refuses
     */
    public void stop(int id) throws LinuxException {
        execute("STOP_DEV", Ublk.STOP_DEV, id, MemorySegment.NULL, 0);
    }

    /**
     * Removes a device that was stopped. Waits until nobody has {@code /dev/ublkcN} open.
     *
     * @throws LinuxException if the kernel refuses
     */
    public void delete(int id) throws LinuxException {
        execute("DEL_DEV", Ublk.DEL_DEV, id, MemorySegment.NULL, 0);
    }

    /**
     * Begins to take over a device whose server has died.
     *
     * @throws LinuxException {@code EBUSY} if the kernel is not done with the last one yet, or it lives; {@code EINVAL} if
     *     the device was not made for that
     */
    public void startRecovery(int id) throws LinuxException {
        execute("START_USER_RECOVERY", Ublk.START_USER_RECOVERY, id, MemorySegment.NULL, 0);
    }

    /**
     * Has a device that was taken over go on. Waits until each queue has fetched for all tags.
     *
     * @throws LinuxException if the kernel refuses
     */
    public void endRecovery(int id) throws LinuxException {
        execute(
                "END_USER_RECOVERY",
                Ublk.END_USER_RECOVERY,
                id,
                MemorySegment.NULL,
                ProcessHandle.current().pid());
    }

    private void execute(String name, int operation, int id, MemorySegment buffer, long data) throws LinuxException {
        // Entries of 128 bytes, as the command needs; this is the setting that has them.
        try (IoUring ring = IoUring.open(file, new IoUring.Options(1, false, false, false, true))) {
            Ublk.putControl(ring.bindDriverCommand(0, operation), id, buffer, data);
            // What is written with it lies behind the command.
            ring.start(0, 0);
            ring.await(1);
            if (!ring.next() || ring.result() < 0) {
                String subject = id < 0 ? CONTROL.toString() : "/dev/ublkc" + id;
                throw new LinuxException("ublk " + name, subject, -ring.result());
            }
        }
    }

    /** Closes it; devices stay as they are. Closing again does nothing. */
    @Override
    public void close() {
        file.close();
    }
}
