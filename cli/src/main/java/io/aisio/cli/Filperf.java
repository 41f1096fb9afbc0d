package io.aisio.cli;

import java.util.Map;
import java.util.Stack;
import picocli.CommandLine.Command;
import picocli.CommandLine.IParameterPreprocessor;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;

/** The tool {@code filperf}: how fast whole data sets are read. What follows it that is no command is for {@code run}. */
@Command(
        name = "filperf",
        header = "Measures how fast whole data sets are read, by any way that there is.",
        description = "%nWithout a command, run is meant.",
        preprocessor = Filperf.Run.class,
        footer = {
            "  ./aisio filperf --data-dir /imagenetish emu:set.img",
            "  ./aisio filperf compare --dataset imagenetish --scale 0.01"
        },
        subcommands = {FilperfRun.class, FilperfCompare.class})
final class Filperf {
    /** Puts {@code run} before arguments that name no command. */
    static final class Run implements IParameterPreprocessor {
        @Override
        @SuppressWarnings("JdkObsolete") // the interface has it so
        public boolean preprocess(
                Stack<String> arguments, CommandSpec command, ArgSpec argument, Map<String, Object> info) {
            int at = arguments.size() - 1;
            while (at >= 0 && arguments.get(at).equals("--debug")) {
                at--;
            }
            if (at >= 0
                    && !command.subcommands().containsKey(arguments.get(at))
                    && command.findOption(arguments.get(at)) == null) {
                arguments.push("run");
            }
            return false;
        }
    }
}
