/** What one command costs: JMH benchmarks of the paths that run once per command, and the table that sums them up. */
@NullMarked
package io.aisio.microbench;

import org.jspecify.annotations.NullMarked;
