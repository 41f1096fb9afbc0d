package io.aisio.xal;

import java.io.IOException;
import java.nio.file.Path;

/** A process that follows a mounted file system into a shared index until its standard input ends, or it is killed. */
final class FollowingOwner {
    private FollowingOwner() {}

    /** @param args the directory, and the name of the index */
    public static void main(String[] args) throws IOException {
        try (Index _ = Index.follow(Path.of(args[0]), Index.Follow.UPDATE.shared(args[1]), _ -> {})) {
            System.out.println("ready");
            while (System.in.read() >= 0) {
                Thread.onSpinWait();
            }
        }
    }
}
