package io.aisio.cli;

import java.lang.module.ModuleDescriptor;
import picocli.CommandLine.IVersionProvider;

/** What {@code --version} says: enough for a bug report. */
final class Version implements IVersionProvider {
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

    /** The compiler writes the project's version into the module; a run from the class path has no module. */
    private static String ofAisio() {
        ModuleDescriptor module = Version.class.getModule().getDescriptor();
        return module == null ? "(no module)" : module.rawVersion().orElse("(no version)");
    }
}
