/** What a daemon does, to be seen: metrics in Prometheus' format, and a page. Both only read. */
@NullMarked
package io.aisio.homi.view;

import org.jspecify.annotations.NullMarked;
