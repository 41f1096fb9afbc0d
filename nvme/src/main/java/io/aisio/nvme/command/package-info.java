/**
 * The command sets of the NVMe specification over any path: typed calls in, typed records out.
 *
 * <pre>
 *    Identities   Features   LogPages   AdminCommandSet   Directives        NvmCommandSet   ZonedCommandSet   DataPlacement
 *         └───────────┴───┬──────┴──────────┴─────────────────┘                  └───────────────┴───────────────┘
 *                   AdminCommands                                                          Passthrough
 * </pre>
 *
 * Arguments are checked before anything is sent, and what a device says before it is believed.
 */
@NullMarked
package io.aisio.nvme.command;

import org.jspecify.annotations.NullMarked;
