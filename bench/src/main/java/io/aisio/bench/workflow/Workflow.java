package io.aisio.bench.workflow;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.composer.Composer;
import org.snakeyaml.engine.v2.constructor.StandardConstructor;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.parser.ParserImpl;
import org.snakeyaml.engine.v2.scanner.StreamReader;

/**
 * A workflow as its file has it: {@code docs/experiments.md} describes the file.
 *
 * @param name of the file, without its ending
 * @param title in a line
 * @param description in some lines
 * @param parameters values by name, which a person may set otherwise
 * @param software values instead of those where no device is named: on software controllers
 * @param quick values instead of those for a short run
 * @param steps in order
 * @param figures of the report
 * @param text the file
 */
public record Workflow(
        String name,
        String title,
        String description,
        Map<String, Object> parameters,
        Map<String, Object> software,
        Map<String, Object> quick,
        List<Step> steps,
        List<Figure> figures,
        String text) {
    private static final String ENDING = ".yaml";
    private static final String DEVICES = "devices";
    /** Far beyond any workflow: a file that is none is not read into memory. */
    private static final long MOST_BYTES = 1 << 20;

    /**
     * The workflow of a name among those in a folder, or of a file.
     *
     * @param what a name, or a path that ends with .yaml
     * @throws IOException if there is none, with those that there are
     * @throws IllegalArgumentException if the file is wrong, with the place
     */
    public static Workflow find(String what, Path folder) throws IOException {
        if (what.endsWith(ENDING)) {
            return read(Path.of(what));
        }
        Path file = folder.resolve(what + ENDING);
        if (what.contains("/") || !Files.exists(file)) {
            throw new IOException("no workflow '" + what + "'; there are " + String.join(", ", names(folder))
                    + ", or name a file that ends with .yaml");
        }
        return read(file);
    }

    /** The workflows in a folder, by name. */
    public static List<String> names(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> Objects.toString(file.getFileName()))
                    .filter(name -> name.endsWith(ENDING))
                    .map(name -> name.substring(0, name.length() - ENDING.length()))
                    .sorted()
                    .toList();
        }
    }

    /**
     * Reads a file.
     *
     * @throws IllegalArgumentException if it is wrong, with the place
     */
    public static Workflow read(Path file) throws IOException {
        if (Files.size(file) > MOST_BYTES) {
            throw new IllegalArgumentException(file + ": " + Files.size(file) + " bytes are no workflow");
        }
        String name = Objects.toString(file.getFileName());
        String text;
        try {
            text = Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException(file + ": no text in UTF-8", e);
        }
        return parse(
                name.endsWith(ENDING) ? name.substring(0, name.length() - ENDING.length()) : name,
                file.toString(),
                text);
    }

    static Workflow parse(String name, String place, String text) {
        LoadSettings settings = LoadSettings.builder()
                .setLabel(place)
                .setAllowDuplicateKeys(false)
                .setMaxAliasesForCollections(0)
                .build();
        YamlMapping from;
        try {
            Optional<Node> node =
                    new Composer(settings, new ParserImpl(settings, new StreamReader(settings, text))).getSingleNode();
            from = YamlMapping.of(
                    place, new StandardConstructor(settings).constructSingleDocument(node), node.orElse(null));
        } catch (MarkedYamlEngineException e) {
            throw new IllegalArgumentException(
                    place
                            + e.getProblemMark()
                                    .map(mark -> ", line " + (mark.getLine() + 1))
                                    .orElse("")
                            + ": " + e.getProblem(),
                    e);
        } catch (YamlEngineException e) {
            throw new IllegalArgumentException(place + ": no YAML: " + e.getMessage(), e);
        }
        List<Step> steps = from.mappings("steps").stream().map(Step::read).toList();
        if (steps.isEmpty()) {
            throw new IllegalArgumentException(place + ": has no steps");
        }
        Set<String> names = new HashSet<>();
        for (Step step : steps) {
            if (!names.add(step.name())) {
                throw new IllegalArgumentException(place + ": two steps are '" + step.name() + "'");
            }
        }
        List<Figure> figures = from.mappings("figures").stream()
                .map(figure -> Figure.read(figure, steps))
                .toList();
        Workflow workflow = new Workflow(
                name,
                from.text("title"),
                String.valueOf(from.textOr("description", "")),
                from.values("parameters"),
                from.values("software"),
                from.values("quick"),
                steps,
                figures,
                text);
        from.refuseOthers();
        workflow.requireKnown(place, workflow.software);
        workflow.requireKnown(place, workflow.quick);
        return workflow;
    }

    /** A name that is set and not a parameter would change nothing. */
    private void requireKnown(String place, Map<String, Object> values) {
        for (String name : values.keySet()) {
            if (!parameters.containsKey(name)) {
                throw new IllegalArgumentException(
                        place + ": no parameter '" + name + "'; there are " + String.join(", ", parameters.keySet()));
            }
        }
    }

    /**
     * What a person chose.
     *
     * @param devices named on the command line; they are the parameter {@code devices}
     * @param quick whether the run is to be short
     * @param set parameters that are to have other values; several values are a list
     * @param destroyData whether what devices hold may be lost
     */
    public record Choices(List<String> devices, boolean quick, Map<String, List<String>> set, boolean destroyData) {
        /** Copies them. */
        public Choices {
            devices = List.copyOf(devices);
            set = Map.copyOf(set);
        }

        /** None. */
        public static Choices none() {
            return new Choices(List.of(), false, Map.of(), false);
        }
    }

    /** The parameters' values under a person's choices, templates not yet replaced. */
    Map<String, Object> values(Choices choices) {
        Map<String, Object> values = new LinkedHashMap<>(parameters);
        if (choices.devices.isEmpty()) {
            values.putAll(software);
        } else {
            requireKnown(name, Map.of(DEVICES, choices.devices));
            values.put(DEVICES, choices.devices);
        }
        if (choices.quick) {
            values.putAll(quick);
        }
        Map<String, Object> set = new LinkedHashMap<>();
        choices.set.forEach((key, words) -> {
            Object before = parameters.get(key);
            set.put(
                    key,
                    words.size() == 1 && !(before instanceof List) ? words.getFirst() : new ArrayList<Object>(words));
        });
        requireKnown(name, set);
        if (set.containsKey(DEVICES)) {
            // It would leave the other parameters as they are for software controllers.
            throw new IllegalArgumentException("--set devices: devices stand behind the workflow's name; next:"
                    + " ./aisio workflow run " + name + " DEVICE…");
        }
        values.putAll(set);
        return values;
    }

    /** Whether a device is a controller in software. */
    static boolean isSoftware(String device) {
        return device.startsWith("emu:") || device.startsWith("gpu:");
    }

    /**
     * Whether what a run measures is controllers in software alone.
     *
     * @param values of the parameters; {@code devices} and those that end with {@code _devices} count
     */
    static boolean isSoftware(Map<String, Object> values) {
        List<String> devices = values.entrySet().stream()
                .filter(entry ->
                        entry.getKey().equals(DEVICES) || entry.getKey().endsWith("_" + DEVICES))
                .flatMap(
                        entry -> entry.getValue() instanceof List<?> list ? list.stream() : Stream.of(entry.getValue()))
                .map(Object::toString)
                .toList();
        return !devices.isEmpty() && devices.stream().allMatch(Workflow::isSoftware);
    }
}
