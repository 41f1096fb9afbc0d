package io.aisio.xal;

import java.io.IOException;

/** An XFS structure that is damaged, or that this reader does not know: which one, where it lies, and which field. */
public final class XfsException extends IOException {
    private static final long serialVersionUID = 1L;

    private final String structure;
    private final String place;

    /**
     * @param source what was read, such as the path of an image
     * @param structure the structure, such as {@code inode 133}
     * @param place where it lies, such as {@code AG 0 block 16}
     * @param problem the field, the value seen and what was expected
     */
    public XfsException(String source, String structure, String place, String problem) {
        super(source + ": " + structure + " (" + place + "): " + problem);
        this.structure = structure;
        this.place = place;
    }

    /** The structure, such as {@code inode 133}. */
    public String structure() {
        return structure;
    }

    /** Where it lies, such as {@code AG 0 block 16}. */
    public String place() {
        return place;
    }
}
