package io.aisio.linux.block;

import io.aisio.linux.Errno;
import io.aisio.linux.FileStatus;
import io.aisio.linux.LinuxException;
import io.aisio.linux.Mounts;
import io.aisio.linux.Mounts.Mount;
import io.aisio.linux.OpenFile;
import io.aisio.linux.Sysfs;
import io.aisio.linux.block.DeviceUse.Kind;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What block devices are used for, as it was when this looked.
 *
 * <pre>
 *   mounted    /proc/PID/mountinfo: by number, by name (btrfs has numbers of its own), by the other devices of one btrfs
 *   swapped    /proc/swaps
 *   held       holders/ in sysfs, and what is said of those in turn; else an exclusive open that fails
 *   open       /proc/PID/fd
 *   root       from where /, /usr, /boot lie, down: partitions, volumes, loop devices, layers of an overlay
 *   signature  the device's own blocks
 * </pre>
 *
 * What this user may not look at is in {@link #unseen}: who is about to destroy something must not take it for unused.
 */
public final class BlockUses {
    /** Where the running system's own files are: what lies below any of them is not to be taken away. */
    private static final List<String> SYSTEM = List.of("/", "/usr", "/boot", "/boot/efi", "/efi");

    /** How deep volumes may be stacked; a loop device in a file on a loop device counts too. Chosen to be never met. */
    private static final int DEEPEST = 32;

    private final Path root;
    private final BlockDevices devices;
    /** By the device's name: where it is mounted, with the type. */
    private final Map<String, Set<String>> mounts = new HashMap<>();

    private final Set<String> swaps = new HashSet<>();
    /** By the device's name: which of {@link #SYSTEM} lies on it. */
    private final Map<String, String> system = new HashMap<>();
    /** By file: which loop device it backs. */
    private final Map<String, String> loops = new LinkedHashMap<>();

    private final Set<String> unseen = new LinkedHashSet<>();
    private @Nullable OpenNodes open;

    private BlockUses(Path root) {
        this.root = root;
        devices = new BlockDevices(root.resolve("sys"));
    }

    /** Looks at this machine. */
    public static BlockUses look() throws IOException {
        return look(Path.of("/"));
    }

    /**
     * Looks at a machine.
     *
     * @param root where {@code proc}, {@code sys} and {@code dev} are, {@code /} but in tests
     * @throws IOException if they cannot be read
     */
    public static BlockUses look(Path root) throws IOException {
        BlockUses uses = new BlockUses(root);
        uses.readLoops();
        uses.readSwaps();
        MountTables mounted = MountTables.read(root.resolve("proc"));
        for (MountTables.Table table : mounted.tables()) {
            uses.readMounts(table);
        }
        uses.addUnseen("what is mounted", mounted.unseen());
        return uses;
    }

    /** The block devices that this looked at. */
    public BlockDevices devices() {
        return devices;
    }

    /** What could not be looked at, and why, a sentence each; known when {@link #of} has been asked. */
    public List<String> unseen() {
        return List.copyOf(unseen);
    }

    /**
     * What a device is used for, its partitions, and what is built upon them. The gravest comes first.
     *
     * @throws IOException if sysfs cannot be read
     */
    public List<DeviceUse> of(BlockDevice device) throws IOException {
        List<DeviceUse> uses = new ArrayList<>();
        String lies = system.get(device.name());
        if (lies != null) {
            uses.add(new DeviceUse(Kind.ROOT, device.name(), "is what the running system lies on (" + lies + ")"));
        }
        collect(device, uses, new HashSet<>(), 0);
        uses.sort(Comparator.comparingInt(use -> use.kind() == Kind.ROOT ? 0 : use.isNow() ? 1 : 2));
        return List.copyOf(uses);
    }

    /**
     * What a file is used for: a loop device or swapping.
     *
     * @param file its path, without links
     */
    public @Nullable DeviceUse of(Path file) {
        String loop = loops.get(file.toString());
        if (loop != null) {
            return new DeviceUse(Kind.HELD, file.toString(), "is attached to " + loop);
        }
        return swaps.contains(file.toString()) ? new DeviceUse(Kind.SWAP, file.toString(), "is swapped to") : null;
    }

    /**
     * Which processes have nodes open, such as a controller's.
     *
     * @param names below {@code /dev}
     * @throws IOException if procfs cannot be read
     */
    public List<DeviceUse> openNodes(List<String> names) throws IOException {
        List<DeviceUse> uses = new ArrayList<>();
        for (String name : names) {
            addOpen(name, uses);
        }
        return uses;
    }

    private void collect(BlockDevice device, List<DeviceUse> uses, Set<String> visited, int depth) throws IOException {
        if (!visited.add(device.name()) || depth > DEEPEST) {
            return;
        }
        int before = uses.size();
        Set<String> places = mounts.get(device.name());
        if (places != null) {
            uses.add(new DeviceUse(Kind.MOUNTED, device.name(), "is mounted at " + few(places)));
        }
        if (swaps.contains("/dev/" + device.node())) {
            uses.add(new DeviceUse(Kind.SWAP, device.name(), "is swapped to"));
        }
        for (BlockDevice holder : devices.holders(device)) {
            uses.add(new DeviceUse(Kind.HELD, device.name(), "is part of " + described(holder)));
            collect(holder, uses, visited, depth + 1);
        }
        for (BlockDevice partition : devices.partitions(device)) {
            collect(partition, uses, visited, depth + 1);
        }
        addOpen(device.node(), uses);
        Path node = root.resolve("dev").resolve(device.node());
        if (depth > 0 && device.partition() == 0) {
            return;
        }
        if (device.numbers() != null && Files.exists(node)) {
            lookInto(device, node, uses, before);
        } else if (device.bytes() > 0 && Files.exists(device.folder())) {
            unseen.add(device.name() + " has no node " + node + ", so that what it holds cannot be known");
        }
    }

    /** What only the node itself tells. Of a device that is known to be in use, who has it for himself is known too. */
    private void lookInto(BlockDevice device, Path node, List<DeviceUse> uses, int before) {
        try {
            boolean known = uses.subList(before, uses.size()).stream().anyMatch(DeviceUse::isNow);
            if (!known && isBlockDevice(node)) {
                OpenFile.openAlone(node).close();
            }
        } catch (LinuxException e) {
            if (e.errno() == Errno.EBUSY) {
                uses.add(new DeviceUse(
                        Kind.HELD, device.name(), "is held by the kernel or a process that sysfs does not name"));
            } else {
                unseen.add(String.valueOf(e.getMessage()));
            }
        } catch (IOException e) {
            unseen.add(String.valueOf(e.getMessage()));
        }
        try {
            if (device.bytes() > 0) {
                Signature.of(node)
                        .forEach(
                                one -> uses.add(new DeviceUse(Kind.SIGNATURE, device.name(), "carries " + one.name())));
            }
        } catch (IOException e) {
            unseen.add(String.valueOf(e.getMessage()));
        }
    }

    /** A file in a test's tree is no device, and can be opened by as many as like. */
    private static boolean isBlockDevice(Path node) throws IOException {
        return ((int) Files.getAttribute(node, "unix:mode") & 0170000) == 0060000;
    }

    private void addOpen(String node, List<DeviceUse> uses) throws IOException {
        if (open == null) {
            open = OpenNodes.read(root.resolve("proc"));
            addUnseen("what is open", open.unseen());
        }
        for (String process : open.of("/dev/" + node)) {
            uses.add(new DeviceUse(Kind.OPEN, node, "is open in process " + process));
        }
    }

    /** One sentence for all of them: who is not root may look into few. */
    private void addUnseen(String what, List<String> processes) {
        if (!processes.isEmpty()) {
            int more = processes.size() - 1;
            unseen.add(what + " in process " + processes.getFirst() + (more > 0 ? ", and in " + more + " more" : "")
                    + ", may not be known");
        }
    }

    /** {@code dm-3 (data-set, LVM)}: names that people know it by. */
    private static String described(BlockDevice holder) throws IOException {
        String name = Sysfs.text(holder.folder().resolve("dm/name"));
        String uuid = Sysfs.text(holder.folder().resolve("dm/uuid"));
        String level = Sysfs.text(holder.folder().resolve("md/level"));
        String what = uuid == null ? "" : uuid.replaceFirst("-.*", "");
        if (name != null) {
            return holder.name() + " (" + name + (what.isEmpty() ? "" : ", " + what) + ")";
        }
        if (level != null) {
            return holder.name() + " (MD, " + level + ")";
        }
        return Files.isDirectory(holder.folder().resolve("bcache")) ? holder.name() + " (bcache)" : holder.name();
    }

    private static String few(Set<String> places) {
        List<String> shown = places.stream().limit(3).toList();
        int more = places.size() - shown.size();
        return String.join(", ", shown) + (more > 0 ? " and at " + more + " more" : "");
    }

    private void readLoops() throws IOException {
        for (Path block : Sysfs.list(root.resolve("sys/block"))) {
            String file = Sysfs.text(block.resolve("loop/backing_file"));
            if (file != null) {
                loops.put(file, String.valueOf(block.getFileName()));
            }
        }
    }

    /** {@code proc(5)}: the path is the first word, its blanks written in octal. */
    private void readSwaps() throws IOException {
        Path table = root.resolve("proc/swaps");
        if (!Files.exists(table)) {
            // A kernel that was built without.
            return;
        }
        String text = new String(Files.readAllBytes(table), StandardCharsets.ISO_8859_1);
        for (String line : text.lines().skip(1).toList()) {
            String path = Mounts.unescape(line.split("\\s+", 2)[0]);
            String name = nameOf(path);
            swaps.add(name == null ? path : "/dev/" + name.replace('!', '/'));
        }
    }

    private void readMounts(MountTables.Table table) throws IOException {
        for (Mount mount : table.mounts().all()) {
            Set<String> names = namesOf(mount);
            for (String name : names) {
                Set<String> places = mounts.computeIfAbsent(name, _ -> new LinkedHashSet<>());
                String place = mount.point() + " (" + mount.type() + ")";
                // What is seen from several namespaces at one place is one mount to a person.
                if (places.stream().noneMatch(known -> known.startsWith(place))) {
                    places.add(place + table.where());
                }
            }
            if (table.system() && SYSTEM.contains(mount.point())) {
                names.forEach(name -> descend(name, mount.point(), table, 0));
                layers(mount, mount.point(), table, 0);
            }
        }
    }

    /** The devices that a file system lies on. */
    private Set<String> namesOf(Mount mount) throws IOException {
        Set<String> names = new LinkedHashSet<>();
        BlockDevice numbered = mount.device().major() == 0 ? null : devices.of(mount.device());
        if (numbered != null) {
            names.add(numbered.name());
        }
        // bcachefs puts colons between the devices.
        for (String source : mount.source().split(":", -1)) {
            addName(source, names);
        }
        for (String other : List.of("logdev", "rtdev", "journal_path")) {
            addName(mount.option(other), names);
        }
        if (mount.type().equals("btrfs")) {
            for (Path system : Sysfs.list(root.resolve("sys/fs/btrfs"))) {
                List<String> members = new ArrayList<>();
                for (Path member : Sysfs.list(system.resolve("devices"))) {
                    members.add(String.valueOf(member.getFileName()));
                }
                if (members.stream().anyMatch(names::contains)) {
                    names.addAll(members);
                }
            }
        }
        return names;
    }

    private void addName(@Nullable String path, Set<String> names) throws IOException {
        String name = path == null ? null : nameOf(path);
        if (name != null) {
            names.add(name);
        }
    }

    /** The kernel's name of the device that a path below {@code /dev} leads to; null if there is none. */
    private @Nullable String nameOf(String path) throws IOException {
        if (!path.startsWith("/dev/")) {
            return null;
        }
        String below = path.substring("/dev/".length());
        try {
            Path node = root.resolve("dev").resolve(below).toRealPath();
            Path named = root.resolve("dev").toRealPath().relativize(node);
            BlockDevice device = devices.named(named.toString());
            if (device == null && isBlockDevice(node)) {
                // A node of another name, as device mapper has where no udev makes links.
                device = devices.of(FileStatus.Device.of((long) Files.getAttribute(node, "unix:rdev")));
            }
            return device == null ? null : device.name();
        } catch (FileSystemException _) {
            // The node has gone, or is in another namespace; sysfs may know the name.
            BlockDevice device = devices.named(below);
            return device == null ? null : device.name();
        }
    }

    /** Marks a device, and all that it is built upon, as what the system lies on. */
    private void descend(String name, String point, MountTables.Table table, int depth) {
        if (depth > DEEPEST || system.putIfAbsent(name, point) != null) {
            return;
        }
        try {
            BlockDevice device = devices.named(name);
            if (device == null) {
                return;
            }
            for (BlockDevice beneath : devices.beneath(device)) {
                descend(beneath.name(), point, table, depth + 1);
            }
            String file = Sysfs.text(device.folder().resolve("loop/backing_file"));
            if (file != null) {
                descendFile(file, point, table, depth + 1);
            }
        } catch (IOException e) {
            unseen.add(String.valueOf(e.getMessage()));
        }
    }

    private void descendFile(String path, String point, MountTables.Table table, int depth) throws IOException {
        Mount on = table.mounts().all().stream()
                .filter(mount -> Path.of(path).startsWith(mount.point()))
                // Of two at the same place, the later one covers the other.
                .reduce((a, b) -> b.point().length() >= a.point().length() ? b : a)
                .orElse(null);
        if (on != null && depth <= DEEPEST) {
            for (String name : namesOf(on)) {
                descend(name, point, table, depth + 1);
            }
            if (!SYSTEM.contains(on.point())) {
                layers(on, point, table, depth + 1);
            }
        }
    }

    /** The folders that an overlay shows, which lie on file systems of their own. */
    private void layers(Mount mount, String point, MountTables.Table table, int depth) {
        if (!mount.type().equals("overlay")) {
            return;
        }
        for (String option : List.of("lowerdir", "upperdir", "workdir")) {
            String value = Objects.requireNonNullElse(mount.option(option), "");
            for (String layer : value.split(":", -1)) {
                try {
                    if (layer.startsWith("/") && layer.indexOf('\0') < 0) {
                        descendFile(layer, point, table, depth);
                    }
                } catch (IOException e) {
                    unseen.add(String.valueOf(e.getMessage()));
                }
            }
        }
    }
}
