package io.aisio.cli;

import java.util.Objects;
import picocli.CommandLine.IVersionProvider;

/** What {@code --version} says: enough for a bug report. */
final class Version implements IVersionProvider {
    private Version() {}

    @Override
    public String[] getVersion() {
        return new String[] {
            "aisio " + ofAisio(),
            "Java " + Runtime.version() + ", " + System.getProperty("java.vm.name") + ", "
                    + System.getProperty("java.home"),
            System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                    + System.getProperty("os.arch"),
        };
    }

    /** From the jar's manifest; only a run from a folder of classes has none. */
    private static String ofAisio() {
        return Objects.requireNonNullElse(Version.class.getPackage().getImplementationVersion(), "(not packaged)");
    }
}
