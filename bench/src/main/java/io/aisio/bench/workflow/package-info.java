/**
 * Experiments as data: a file says which steps there are and over which parameters; a run of it is a folder that holds
 * everything, and goes on where it stopped.
 *
 * <pre>
 *   workflows/NAME.yaml ─ Workflow ─┐
 *   a person's choices ─────────────┼─▶ Plan: tasks, each a command line ─▶ RunFolder: run.json, facts.json
 *   the machine ─ MachineFacts ─────┘                                        │
 *                                       Execution: one task after another ──▶ steps/NNN-STEP/{stdout,stderr,result.json}
 *                                         │ on a Target: here, or over ssh      │ ResultFormat: numbers out of raw output
 *                                                                             ▼
 *                                                              io.aisio.bench.report: one HTML file
 * </pre>
 */
@NullMarked
package io.aisio.bench.workflow;

import org.jspecify.annotations.NullMarked;
