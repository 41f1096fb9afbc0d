package io.aisio.cli;

import io.aisio.bench.DataAtRisk;
import io.aisio.bench.workflow.MachineFacts;
import io.aisio.bench.workflow.Plan;
import io.aisio.bench.workflow.RunFolder;
import io.aisio.bench.workflow.ShellWords;
import io.aisio.bench.workflow.Target;
import io.aisio.bench.workflow.TaskRecord;
import io.aisio.bench.workflow.Workflow;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code workflow run}: runs one from its beginning. */
@Command(
        name = "run",
        header = "Runs a workflow into a folder of its own, and reports on it.",
        description = {
            "%nThe folder has the raw output of each step, what the machine is, and the numbers as JSON. A step whose"
                    + " need is missing is skipped, and it is said why; one that fails ends the run, which resume goes on"
                    + " with. Without a DEVICE, experiments run on software controllers.",
        },
        parameterListHeading = "%nWorkflow and devices:%n",
        footer = {
            "  ./aisio workflow run experiments --quick",
            "  sudo ./aisio workflow run experiments --ssh root@box 0000:82:00.0 0000:83:00.0"
        })
final class WorkflowRun implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Parameters(
            index = "0",
            paramLabel = "WORKFLOW",
            description = "A name that list tells, or a file that ends with .yaml.")
    @SuppressWarnings("NullAway.Init")
    private String name;

    @Parameters(index = "1..*", paramLabel = "DEVICE", description = "What is measured; the parameter 'devices'.")
    private List<String> devices = new ArrayList<>();

    @Mixin
    private final WorkflowOptions options = new WorkflowOptions();

    @Option(names = "--quick", description = "The workflow's short form.")
    private boolean quick;

    @Option(
            names = "--set",
            paramLabel = "NAME=VALUE",
            description = "Another value of a parameter; of several, a list of them.")
    private List<String> set = new ArrayList<>();

    @Option(names = "--ssh", paramLabel = "HOST", description = "Run the steps there, by ssh, which must not ask.")
    private String host = "";

    @Option(
            names = "--ssh-home",
            paramLabel = "DIR",
            description = "Where AiSIO lies there (aisio, in the home folder).")
    private String remoteHome = "aisio";

    @Option(names = DataAtRisk.FLAG, description = "Run steps that write to devices: what they hold may be destroyed.")
    private boolean destroyData;

    @Option(names = "--dry-run", description = "Only print what would be run.")
    private boolean dryRun;

    @Override
    public Integer call() throws IOException {
        Workflow workflow = Workflow.find(name, WorkflowRuns.workflows());
        Workflow.Choices choices = new Workflow.Choices(devices, quick, parameters(), destroyData);
        Target target = target();
        MachineFacts machine = target.facts(MachineFacts.questions(workflow));
        if (!host.isEmpty()) {
            target.requireLauncher(workflow, machine);
        }
        Instant now = Instant.now();
        String id = Plan.id(workflow, now);
        Plan plan = Plan.of(workflow, choices, id, machine, target);
        if (dryRun) {
            tell(plan, target);
            return Exit.DONE;
        }
        plan.skipped()
                .forEach((reason, times) ->
                        System.err.println("skipped: " + reason + (times == 1 ? "" : " (" + times + " times)")));
        try (RunFolder folder = RunFolder.create(
                options.runs().toAbsolutePath().normalize(),
                plan.record(workflow, choices, id, now, machine, target),
                workflow.text())) {
            return WorkflowRuns.run(folder, target);
        }
    }

    private Target target() {
        try {
            return Target.of(host, WorkflowRuns.home(), remoteHome);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }

    private Map<String, List<String>> parameters() {
        Map<String, List<String>> parameters = new LinkedHashMap<>();
        for (String one : set) {
            int sign = one.indexOf('=');
            if (sign < 1) {
                throw new ParameterException(spec.commandLine(), "--set '" + one + "': NAME=VALUE");
            }
            parameters
                    .computeIfAbsent(one.substring(0, sign), key -> new ArrayList<>())
                    .add(one.substring(sign + 1));
        }
        return parameters;
    }

    private static void tell(Plan plan, Target target) throws IOException {
        try (StandardOutput out = new StandardOutput()) {
            for (TaskRecord task : plan.tasks()) {
                out.line(task.number() + "  " + task.label());
                if (task.state() == TaskRecord.State.SKIPPED) {
                    out.line("    skipped: " + task.reason());
                } else {
                    if (!task.unless().isEmpty()) {
                        out.line("    unless " + ShellWords.shown(task.unless()));
                    }
                    out.line("    " + ShellWords.shown(task.command()));
                }
            }
            long skipped = plan.tasks().stream()
                    .filter(task -> task.state() == TaskRecord.State.SKIPPED)
                    .count();
            out.line((plan.tasks().size() - skipped) + " to run on " + target.name() + ", " + skipped
                    + " skipped; nothing was run");
        }
    }
}
