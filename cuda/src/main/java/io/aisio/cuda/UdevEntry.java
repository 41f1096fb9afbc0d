package io.aisio.cuda;

import io.aisio.linux.FileStatus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What udev knows of a block device, in {@code /run/udev/data}: cuFile asks there (libudev, {@code ID_FS_TYPE}) what file
 * system a file is on, and refuses the file where nobody answers, as in a container.
 */
final class UdevEntry {
    private UdevEntry() {}

    /** What to do when cuFile refuses a file. */
    static String remedy(Path path) {
        FileStatus.Device device;
        String type;
        try {
            device = FileStatus.Device.of((Long) Files.getAttribute(path, "unix:dev"));
            type = Files.getFileStore(path).type();
        } catch (IOException | UnsupportedOperationException _) {
            return "cuFile takes files on ext4 and XFS";
        }
        if (device.major() == 0) {
            return "it lies on " + type + ", which has no block device: put it on ext4 or XFS";
        }
        Path entry = Path.of("/run/udev/data/b" + device);
        if (!type.equals("ext4") && !type.equals("xfs")) {
            return "it lies on " + type + ": put it on ext4 or XFS";
        }
        return holdsType(entry)
                ? "udev knows its device (" + entry
                        + "), so cuFile's log tells more: cufile.log, with logging.level TRACE" + " in cufile.json"
                : "udev does not know the file system of its device, which cuFile asks for; as root: mkdir -p /run/udev/data"
                        + " && touch /run/udev/control && printf 'I:1\\nE:ID_FS_TYPE=" + type
                        + "\\nE:ID_FS_USAGE=filesystem\\nE:ID_FS_UUID=%s\\nE:DEVTYPE=disk\\n' \"$(findmnt -no UUID -T '"
                        + path.toAbsolutePath() + "')\" > " + entry;
    }

    private static boolean holdsType(Path entry) {
        try {
            return Files.readString(entry).contains("E:ID_FS_TYPE=");
        } catch (IOException _) {
            return false;
        }
    }
}
