/**
 * {@code java.nio.file} over our devices: a read-only file system for an XFS on any of them, so that whatever takes a
 * {@link java.nio.file.Path} reads through user-space queues unchanged.
 *
 * <pre>
 *   Path.of(URI.create("aisio:emu:/data/set.img!/train"))
 *        │
 *        ▼
 *   AisioFileSystemProvider ── one XfsFileSystem a device, opened when it is first named
 *        │
 *        ├── XfsPath            algebra of paths, as on Linux
 *        ├── Tree               path → inode: links followed, directories kept ──┐
 *        └── XfsChannel         bytes of a file: pieces, holes as zeros          │
 *                 └──▶ Lanes ◀───────────────────────────────────────────────────┘
 *                        └── Lane: a queue and its buffer, lent to one thread at a time
 * </pre>
 *
 * Nothing of it is exported: programs use {@link java.nio.file.Files} and find the provider by its scheme, {@code aisio}.
 */
@NullMarked
package io.aisio.fil.nio;

import org.jspecify.annotations.NullMarked;
