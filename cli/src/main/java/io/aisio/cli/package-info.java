/**
 * The command line: parses, calls, prints, and has no logic of its own.
 *
 * <pre>
 *   ./aisio ── JVM ──▶ Aisio ──▶ one command class a tool ──▶ bench, fil, xal, xnvme
 *                        │              │
 *                    Failures       Interruption, Progress      what every command needs
 * </pre>
 *
 * A command is a class with picocli's {@code @Command} that implements {@link java.util.concurrent.Callable}, returns
 * its exit code ({@link io.aisio.cli.Exit}), prints results to {@link java.lang.System#out} and lets its exceptions go:
 * {@link io.aisio.cli.Failures} makes a line of them.
 */
@NullMarked
package io.aisio.cli;

import org.jspecify.annotations.NullMarked;
