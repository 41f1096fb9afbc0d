/**
 * The index: all inodes, names and extents of a file system in columns of numbers outside of the heap.
 *
 * <pre>
 *   header      what it is, how much of each column is in use, sequence, state
 *   names       length and bytes, one after another; equal names once
 *   entries     parent │ inode │ name │ next in the directory      ◄── hash of (directory, name)
 *   directories inode │ name │ first child │ children │ …
 *   inodes      number │ size │ stamp │ generation │ links │ …     ◄── hash of numbers
 *   extents     offset and flags │ position │ length: those of a file one after another
 * </pre>
 *
 * The memory is private or a file that other processes map to read; both have one {@link io.aisio.xal.index.Layout}. A
 * column has room for many more rows than it has: pages that were never touched cost nothing. One writer changes it
 * between two steps of a sequence number; a reader takes no lock, and reads again what changed meanwhile.
 */
@NullMarked
package io.aisio.xal.index;

import org.jspecify.annotations.NullMarked;
