package io.aisio.xal;

import java.util.List;

/**
 * A file's extents as an index had them at one moment.
 *
 * @param inode what it said of the file then
 * @param extents in the order of their offsets
 * @param stamp differs when anything of the file changed, its content too, where the file system counts that (XFS read from its
 *     blocks: {@code di_changecount}); of a mounted file a hash of its times
 * @param version differs when the extents, the size or the file of this number changed
 */
public record FileExtents(Inode inode, List<Extent> extents, long stamp, int version) {
    /**
     * How each byte of a regular file is read, from the first to the last.
     *
     * @throws IllegalArgumentException if it is no regular file
     */
    public List<Piece> pieces() {
        if (inode.type() != FileType.REGULAR) {
            throw new IllegalArgumentException(
                    "inode " + inode.number() + " is no regular file but of type " + inode.type());
        }
        return Piece.of(extents, inode.size());
    }
}
