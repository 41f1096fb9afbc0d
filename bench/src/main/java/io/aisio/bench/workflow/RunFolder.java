package io.aisio.bench.workflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.FileNotFoundException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.EnumNamingStrategies;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.cfg.EnumFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * A folder that holds a run:
 *
 * <pre>
 *   run.json         the plan, and how far it is ({@link RunRecord})
 *   facts.json       what the machine is
 *   workflow.yaml    the workflow's file as it was
 *   report.html      once somebody asked for it
 *   steps/0007-iops/ stdout, stderr, and result.json once it is done
 *   lock             held by whoever runs it
 * </pre>
 *
 * <p>Files of ours appear whole or not at all. What a {@code result.json} says counts, so that a run that was killed at
 * any moment goes on from there.
 */
public final class RunFolder implements AutoCloseable {
    /** Of a run's description. */
    public static final String RUN = "run.json";

    private static final String RESULT = "result.json";
    private static final JsonMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .enumNamingStrategy(EnumNamingStrategies.LOWER_CAMEL_CASE)
            .enable(EnumFeature.FAIL_ON_NUMBERS_FOR_ENUMS)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            // A key may have been added since the file was written; TaskRecord refuses numbers that must be there.
            .disable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .build();

    private final Path path;
    private final FileChannel lock;
    private RunRecord record;

    private RunFolder(Path path, FileChannel lock, RunRecord record) {
        this.path = path;
        this.lock = lock;
        this.record = record;
    }

    /**
     * Makes a folder for a run, named by its id.
     *
     * @param runs where runs lie; made if it is not there
     * @throws IOException if it is there
     */
    public static RunFolder create(Path runs, RunRecord record, String workflow) throws IOException {
        Path path = runs.resolve(record.id());
        Files.createDirectories(runs);
        Files.createDirectory(path);
        FileChannel lock = lock(path);
        RunFolder folder = new RunFolder(path, lock, record);
        try {
            Files.createDirectory(path.resolve("steps"));
            folder.write(path.resolve("workflow.yaml"), workflow);
            folder.write(path.resolve("facts.json"), text(record.machine()));
            folder.save();
            return folder;
        } catch (Throwable t) {
            try (folder) {
                throw t;
            }
        }
    }

    /**
     * Opens a folder to go on with its run.
     *
     * @throws IOException if there is none, or another process runs it
     */
    public static RunFolder open(Path path) throws IOException {
        requireRun(path);
        FileChannel lock = lock(path);
        try {
            return new RunFolder(path, lock, read(path));
        } catch (Throwable t) {
            try (lock) {
                throw t;
            }
        }
    }

    private static void requireRun(Path path) throws IOException {
        if (!Files.exists(path.resolve(RUN))) {
            throw new FileNotFoundException(
                    path + ": no run, it has no " + RUN + "; './aisio workflow list' shows those there are");
        }
    }

    private static FileChannel lock(Path path) throws IOException {
        FileChannel channel =
                FileChannel.open(path.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = null;
        try {
            lock = channel.tryLock();
        } catch (OverlappingFileLockException e) {
            // It is this process that has it: the same message.
        }
        if (lock == null) {
            channel.close();
            throw new IOException(path + ": another process is running it");
        }
        return channel;
    }

    /**
     * What a folder says of its run, without going on with it.
     *
     * @throws IOException if there is none, or it is damaged
     */
    public static RunRecord read(Path path) throws IOException {
        requireRun(path);
        RunRecord record = parse(path.resolve(RUN), RunRecord.class);
        List<TaskRecord> tasks = new ArrayList<>();
        for (TaskRecord task : record.tasks()) {
            if (task.number() != tasks.size() + 1) {
                throw new IOException(
                        path.resolve(RUN) + ": task " + (tasks.size() + 1) + " has the number " + task.number());
            }
            tasks.add(task.state() == TaskRecord.State.WAITING ? result(path, task) : task);
        }
        return record.with(tasks, record.finished());
    }

    /** What became of a task that {@code run.json} has waiting; a result that cannot be read is measured again. */
    private static TaskRecord result(Path path, TaskRecord task) {
        Path file = path.resolve(task.folder()).resolve(RESULT);
        if (!Files.exists(file)) {
            return task;
        }
        try {
            TaskRecord told = parse(file, TaskRecord.class);
            boolean own = told.number() == task.number()
                    && told.step().equals(task.step())
                    && told.state() == TaskRecord.State.DONE;
            return own ? told : task;
        } catch (IOException e) {
            return task;
        }
    }

    private static <T> T parse(Path file, Class<T> type) throws IOException {
        try {
            JsonNode tree = JSON.readTree(Files.readString(file));
            JsonNode schema = tree.path("schema");
            if (type == RunRecord.class
                    && schema.isString()
                    && !schema.stringValue().equals(RunRecord.SCHEMA)) {
                throw new IOException(file + ": schema '" + schema.stringValue() + "'; expected " + RunRecord.SCHEMA);
            }
            return Objects.requireNonNull(JSON.treeToValue(tree, type));
        } catch (JacksonException | NullPointerException | CharacterCodingException e) {
            String why = e instanceof JacksonException json ? why(json) : "no JSON object in UTF-8";
            throw new IOException(file + ": damaged: " + why + "; next: begin a new run, or take that folder away", e);
        }
    }

    /** Without names of classes, which are no business of who reads it. */
    private static String why(JacksonException e) {
        if (e instanceof StreamReadException) {
            return "no JSON from line " + e.getLocation().getLineNr() + ", column "
                    + e.getLocation().getColumnNr();
        }
        String place = e.getPath().stream()
                .map(step -> step.getPropertyName() != null ? "/" + step.getPropertyName() : "/" + step.getIndex())
                .collect(Collectors.joining());
        Throwable cause = e.getCause();
        return (place.isEmpty() ? "" : place + ": ")
                + (cause instanceof NullPointerException
                        ? "'" + cause.getMessage() + "' is missing"
                        : cause instanceof IllegalArgumentException
                                ? cause.getMessage()
                                : "something else stands there than a run has");
    }

    /** The runs in a folder, the youngest last. What is no run is left out. */
    public static List<Path> list(Path runs) throws IOException {
        if (!Files.isDirectory(runs)) {
            return List.of();
        }
        try (Stream<Path> folders = Files.list(runs)) {
            return folders.filter(folder -> Files.exists(folder.resolve(RUN)))
                    .sorted(Comparator.comparing(RunFolder::time).thenComparing(Path::toString))
                    .toList();
        }
    }

    /** Ids end with the time. */
    private static String time(Path run) {
        String name = Objects.toString(run.getFileName());
        return name.substring(name.lastIndexOf('-') + 1);
    }

    /** A record as JSON, as {@code run.json} has it. */
    public static String text(Object record) {
        return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(record) + "\n";
    }

    /** Where it is. */
    public Path path() {
        return path;
    }

    /** The run as far as it is. */
    public RunRecord record() {
        return record;
    }

    /** The folder of a task, made if it is not there. */
    Path make(TaskRecord task) throws IOException {
        return Files.createDirectories(path.resolve(task.folder()));
    }

    /** Takes what became of a task; of one that is done, so that it counts whatever happens next. */
    void put(TaskRecord task) throws IOException {
        record = record.with(task);
        if (task.state() == TaskRecord.State.DONE) {
            write(make(task).resolve(RESULT), text(task));
        }
    }

    /** Sets tasks that failed back, so that they are tried again. */
    void forgetFailures() {
        List<TaskRecord> tasks = record.tasks().stream()
                .map(task -> task.state() == TaskRecord.State.FAILED
                        ? task.to(TaskRecord.State.WAITING, "", "", 0, Outcome.NOTHING)
                        : task)
                .toList();
        record = record.with(tasks, "");
    }

    void finish(String at) {
        record = record.with(record.tasks(), at);
    }

    /** Writes {@code run.json}. */
    void save() throws IOException {
        write(path.resolve(RUN), text(record));
    }

    /** Writes a file of the run whole or not at all. */
    public void write(Path file, String text) throws IOException {
        Path part = file.resolveSibling("." + file.getFileName() + ".part");
        try {
            // No channel: an interrupt would close it, and what an interrupted run has reached is to be written.
            try (FileOutputStream stream = new FileOutputStream(part.toFile())) {
                stream.write(text.getBytes(UTF_8));
                // Before it gets its name: else a machine that loses power may keep the name of an empty file.
                stream.getFD().sync();
            }
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            try {
                Files.deleteIfExists(part);
            } catch (IOException alsoFailed) {
                e.addSuppressed(alsoFailed);
            }
            throw new IOException(
                    file + ": " + reason(e) + "; next: once that is mended, ./aisio workflow resume " + path, e);
        }
    }

    private static @Nullable String reason(IOException e) {
        return e instanceof java.nio.file.FileSystemException said && said.getReason() != null
                ? said.getReason()
                : e.getMessage();
    }

    /** Lets others go on with it. */
    @Override
    public void close() throws IOException {
        lock.close();
    }
}
