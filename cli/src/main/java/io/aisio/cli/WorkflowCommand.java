package io.aisio.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.ScopeType;

/** The tool {@code workflow}: experiments and set-ups as data. */
@Command(
        name = "workflow",
        header = "Runs experiments and set-ups that files describe, and reports on them.",
        footer = {
            "  ./aisio workflow run experiments --quick",
            "  ./aisio workflow resume",
            "  ./aisio workflow report",
        },
        // What is the same in each of its commands.
        scope = ScopeType.INHERIT,
        subcommands = {WorkflowList.class, WorkflowRun.class, WorkflowResume.class, WorkflowReport.class})
final class WorkflowCommand {}
