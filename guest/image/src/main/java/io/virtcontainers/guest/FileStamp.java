// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Map;

/**
 * What a stat call says about a file. Two equal stamps mean equal content, as the kernel sets the change time itself and
 * no program can set it back; see {@link #isSettled} for the one exception.
 */
record FileStamp(
        int mode,
        int uid,
        int gid,
        long size,
        long inode,
        long device,
        long specialDevice,
        int links,
        Instant modified,
        Instant changed) {

    private static final String ATTRIBUTES = "unix:mode,uid,gid,size,ino,dev,rdev,nlink,lastModifiedTime,ctime";
    static final String ABSENT = "absent";

    /** Timestamps may be this coarse: a file that changed later than this before it was looked at may change unseen. */
    private static final long COARSEST_CLOCK_SECONDS = 2;

    static FileStamp of(Path file, LinkOption... options) throws IOException {
        Map<String, Object> a = Files.readAttributes(file, ATTRIBUTES, options);
        return new FileStamp(
                number(a, "mode").intValue(),
                number(a, "uid").intValue(),
                number(a, "gid").intValue(),
                number(a, "size").longValue(),
                number(a, "ino").longValue(),
                number(a, "dev").longValue(),
                number(a, "rdev").longValue(),
                number(a, "nlink").intValue(),
                time(a, "lastModifiedTime"),
                time(a, "ctime"));
    }

    /** The stamp as one word, links followed; "absent" if there is no such file. */
    static String describe(Path file) throws IOException {
        try {
            return of(file).word();
        } catch (NoSuchFileException e) {
            return ABSENT;
        }
    }

    private static Number number(Map<String, Object> attributes, String name) {
        return (Number) requireNonNull(attributes.get(name));
    }

    private static Instant time(Map<String, Object> attributes, String name) {
        return ((FileTime) requireNonNull(attributes.get(name))).toInstant();
    }

    FileType type() {
        return FileType.ofMode(mode);
    }

    /** Permission bits with set-user-id, set-group-id and sticky. */
    int permissions() {
        return mode & 07777;
    }

    /** Whether every change after {@code lookedAt} must give another stamp. */
    boolean isSettled(Instant lookedAt) {
        return isSettled(changed, lookedAt);
    }

    static boolean isSettled(Instant changed, Instant lookedAt) {
        return changed.isBefore(lookedAt.minusSeconds(COARSEST_CLOCK_SECONDS));
    }

    /** As seconds and nanoseconds: the usual text form would load the JDK's whole date formatter. */
    static String word(Instant time) {
        return time.getEpochSecond() + "." + time.getNano();
    }

    String word() {
        return mode + "," + uid + "," + gid + "," + size + "," + inode + "," + device + "," + links + ","
                + word(modified) + "," + word(changed);
    }
}
