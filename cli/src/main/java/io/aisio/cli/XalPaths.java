package io.aisio.cli;

import java.util.List;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** What the commands of {@code xal} that are about single files have in common: the file system, and which files of it. */
final class XalPaths {
    @Mixin
    @SuppressWarnings("NullAway.Init")
    private XalOptions options;

    @Parameters(
            index = "1..*",
            arity = "1..*",
            paramLabel = "PATH",
            description = "Files, from the root of the file system.")
    @SuppressWarnings("NullAway.Init")
    private List<String> paths;

    /** Where the file system is, and who reads the output. */
    XalOptions options() {
        return options;
    }

    /** As they were given. */
    List<String> paths() {
        return paths;
    }
}
