package io.aisio.xnvme;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A device's name, taken apart: {@code scheme:target?option=value&…}.
 *
 * <ul>
 *   <li>{@code 0000:82:00.0}: a PCI function, scheme {@code pci}
 *   <li>{@code emu:SIZE}, {@code emu:null,SIZE}, {@code emu:/path/to/image}: the software controller
 *   <li>{@code gpu:SIZE}, {@code gpu:null,SIZE}, {@code gpu:/path/to/image}: a software controller that runs on a GPU
 *   <li>{@code vfu:/path/to/socket}: a vfio-user controller
 *   <li>{@code homi:NAME/NSID}: leased from the daemon
 *   <li>anything else without a scheme: a file or block device of the kernel's, scheme {@code file}
 * </ul>
 *
 * @param text the name as it was given
 * @param scheme which backend opens it
 * @param target what it opens, never empty
 * @param options in the order given; an option without a value has the value {@code ""}
 */
public record DeviceUri(String text, String scheme, String target, Map<String, String> options) {
    private static final Pattern BDF = Pattern.compile("\\p{XDigit}{4,8}:\\p{XDigit}{2}:\\p{XDigit}{2}\\.[0-7]");
    private static final Pattern SCHEME = Pattern.compile("([a-z][a-z0-9]*):(.*)");

    /** The schemes of the grammar, whether or not this program has a backend for each. */
    public static final List<String> SCHEMES = List.of("emu", "gpu", "vfu", "homi", "pci", "file");

    /** Copies the options. */
    public DeviceUri {
        options = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(options));
    }

    /**
     * Parses a name.
     *
     * @throws IllegalArgumentException if it is empty, or an option is given twice
     */
    public static DeviceUri parse(String text) {
        int mark = text.indexOf('?');
        String name = mark < 0 ? text : text.substring(0, mark);
        Map<String, String> options = mark < 0 ? Map.of() : options(text, text.substring(mark + 1));
        if (BDF.matcher(name).matches()) {
            return new DeviceUri(text, "pci", name, options);
        }
        var scheme = SCHEME.matcher(name);
        DeviceUri uri = scheme.matches()
                ? new DeviceUri(text, scheme.group(1), scheme.group(2), options)
                : new DeviceUri(text, "file", name, options);
        if (uri.target.isEmpty()) {
            throw new IllegalArgumentException("'" + text + "' names no device");
        }
        return uri;
    }

    private static Map<String, String> options(String text, String query) {
        Map<String, String> options = new LinkedHashMap<>();
        for (String part : query.split("&", -1)) {
            int equals = part.indexOf('=');
            String key = equals < 0 ? part : part.substring(0, equals);
            if (key.isEmpty()) {
                throw new IllegalArgumentException("'" + text + "' has an option without a name");
            }
            if (options.put(key, equals < 0 ? "" : part.substring(equals + 1)) != null) {
                throw new IllegalArgumentException("'" + text + "' gives the option '" + key + "' twice");
            }
        }
        return options;
    }

    /**
     * Refuses options that a backend does not know, so that a misspelt one is not silently ignored.
     *
     * @param known what the backend takes
     * @throws IllegalArgumentException naming the first unknown option and the known ones
     */
    public void requireOptions(String... known) {
        List<String> names = List.of(known);
        for (String key : options.keySet()) {
            if (!names.contains(key)) {
                throw new IllegalArgumentException("'" + text + "': no option '" + key + "' here"
                        + (names.isEmpty() ? "" : "; there is " + String.join(", ", names)));
            }
        }
    }

    /** Whether the option is given, with no value or with {@code 1} or {@code true}. */
    public boolean flag(String option) {
        String value = options.get(option);
        if (value == null || value.equals("0") || value.equals("false")) {
            return false;
        }
        if (value.isEmpty() || value.equals("1") || value.equals("true")) {
            return true;
        }
        throw new IllegalArgumentException("'" + text + "': option '" + option + "' is on or off, not '" + value + "'");
    }

    /** The name as it was given. */
    @Override
    public String toString() {
        return text;
    }
}
