/**
 * The engines of xnvmeperf.
 *
 * <pre>
 *   RunOptions ──▶ Run ──▶ Worker (one thread, one processor) ──▶ Lane (one queue) ──▶ Queue
 *                   │                                              │  poll, next LBAs, submit
 *                   ▼                                              └─ LbaGenerator, Latency
 *               RunReport ──▶ RunTable | ReportJson
 *
 *   VerifyOptions ──▶ Verify ──▶ Stamp in each block ──▶ VerifyReport ──▶ ReportJson
 *
 *   DatasetShape ──▶ DatasetFolder | DatasetImage ──▶ DatasetReport      ──▶ DatasetCheck
 * </pre>
 *
 * An engine opens the devices that its options name, checks that the options fit them, works, and returns what it saw
 * as a record. It prints nothing: {@link io.aisio.bench.RunTable} and {@link io.aisio.bench.ReportJson} say how a report
 * looks. {@link io.aisio.bench.DataAtRisk} stands before everything that writes.
 */
@NullMarked
package io.aisio.bench;

import org.jspecify.annotations.NullMarked;
