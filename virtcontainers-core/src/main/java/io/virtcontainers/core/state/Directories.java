// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import com.google.common.io.MoreFiles;
import io.virtcontainers.HostSetupException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Private directories of this user: where they are by default, making them safely, removing them. */
public final class Directories {
    private static final String NAME = "virtcontainers";
    private static final Set<PosixFilePermission> PRIVATE = PosixFilePermissions.fromString("rwx------");

    private Directories() {}

    public static Path defaultState() {
        int uid = uid();
        if (uid == 0) {
            return Path.of("/run", NAME);
        }
        @Nullable String runtime = System.getenv("XDG_RUNTIME_DIR");
        if (runtime != null && runtime.startsWith("/") && Files.isWritable(Path.of(runtime))) {
            return Path.of(runtime, NAME);
        }
        return Path.of("/tmp", NAME + "-" + uid);
    }

    public static Path defaultCache() {
        @Nullable String own = System.getenv("VIRTCONTAINERS_CACHE");
        if (own != null && !own.isEmpty()) {
            return Path.of(own);
        }
        @Nullable String xdg = System.getenv("XDG_CACHE_HOME");
        if (xdg != null && xdg.startsWith("/")) {
            return Path.of(xdg, NAME);
        }
        // As shells and `make setup` see it; Java's own user.home is that of the password file.
        @Nullable String home = System.getenv("HOME");
        return Path.of(home != null && home.startsWith("/") ? home : System.getProperty("user.home"), ".cache", NAME);
    }

    /** The directory, made with mode 0700 if it is not there; refused if another user could put files into it. */
    public static Path privateDirectory(Path directory) {
        Path absolute = directory.toAbsolutePath().normalize();
        try {
            Path parent = absolute.getParent();
            if (parent != null) {
                Files.createDirectories(parent);
            }
            if (!Files.exists(absolute, LinkOption.NOFOLLOW_LINKS)) {
                try {
                    Files.createDirectory(absolute, PosixFilePermissions.asFileAttribute(PRIVATE));
                } catch (java.nio.file.FileAlreadyExistsException raced) {
                    // Another process made it: checked below like one that was there before.
                }
            }
            if (!Files.isDirectory(absolute, LinkOption.NOFOLLOW_LINKS)) {
                throw new HostSetupException(absolute + " is not a directory: remove it, or choose another directory");
            }
            Object owner = Files.getAttribute(absolute, "unix:uid", LinkOption.NOFOLLOW_LINKS);
            Set<PosixFilePermission> mode = Files.getPosixFilePermissions(absolute, LinkOption.NOFOLLOW_LINKS);
            if (!owner.equals(uid())
                    || mode.contains(PosixFilePermission.GROUP_WRITE)
                    || mode.contains(PosixFilePermission.OTHERS_WRITE)) {
                throw new HostSetupException(absolute + " belongs to user " + owner + " with mode "
                        + PosixFilePermissions.toString(mode)
                        + ", so others could tamper with it: it must belong to user "
                        + uid() + " alone; remove it, or choose another directory");
            }
            return absolute;
        } catch (IOException e) {
            throw new HostSetupException(
                    "cannot make the directory " + absolute + ": " + e + "; choose a directory that you can write to",
                    e);
        }
    }

    /** Removes a directory and all below it, never through a symbolic link; does nothing if it is not there. */
    public static void delete(Path directory) throws IOException {
        try {
            if (Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
                MoreFiles.deleteRecursively(directory);
            }
        } catch (IOException e) {
            if (Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
                throw e;
            } // else removed meanwhile: what was wanted
        }
    }

    private static int uid() {
        try {
            return (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        } catch (IOException e) {
            throw new HostSetupException("cannot read /proc/self: mount /proc", e);
        }
    }
}
