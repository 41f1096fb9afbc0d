/**
 * Whole files, read by their extents through any path.
 *
 * <pre>
 *   Xal ── pieces of each file ──▶ ExtentReader ── commands of at most MDTS ──▶ RetryingQueue ──▶ Buffer
 *    ▲                                  │                                                          │
 *    └── DeviceBlocks ◀── Device        └── holes as zeros, exact lengths ──▶ Sink ◀───────────────┘
 * </pre>
 */
@NullMarked
package io.aisio.fil;

import org.jspecify.annotations.NullMarked;
