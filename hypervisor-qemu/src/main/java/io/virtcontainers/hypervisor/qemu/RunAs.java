// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.NetworkCard;
import io.virtcontainers.spi.RootDisk;
import io.virtcontainers.spi.VmConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.UserPrincipal;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A QEMU that root starts as another user. That user needs no rights in the file system but in the machine's directory,
 * which is given to him: QEMU is in it, and finds its sockets there; kernel, initrd and disks are opened by root and passed
 * on open. So it cannot reach the images of other machines that run as the same user.
 *
 * @param user the user's name
 * @param group his first group, by number
 * @param config the machine as that QEMU sees it
 * @param files what it gets open, as the descriptors 3, 4, ...
 */
record RunAs(String user, String group, VmConfig config, List<Path> files) {
    /** The machine's directory, for a process that cannot go through the directories above. */
    private static final Path INSIDE = Path.of("/proc/self/cwd");

    private static final int FIRST_FILE = 3;
    private static final int FD_SET = 1;
    private static final Path PASSWD = Path.of("/etc/passwd");
    private static final int PASSWD_FIELDS = 7;

    /** By which such a QEMU is known, together with where it is. */
    static final String MARK = "socket,id=qmp,server=off,path=" + INSIDE.resolve("qmp.sock");

    /** Empty if it runs as this process does. */
    static Optional<RunAs> of(VmConfig config) {
        return config.settings().user().map(user -> of(user, config));
    }

    private static RunAs of(String user, VmConfig config) {
        requireRoot(user);
        config.cards().stream()
                .filter(card -> !(card instanceof NetworkCard.User))
                .findFirst()
                .ifPresent(card -> refuse(user, "the network card " + card));
        GuestImage image = config.image();
        List<Path> files = new ArrayList<>();
        GuestImage seen = new GuestImage(
                open(image.kernel(), files),
                image.initrd().map(file -> open(file, files)),
                image.disk().map(disk -> open(user, disk, files)),
                image.kernelRelease());
        VmConfig inside = new VmConfig(
                config.sandboxId(),
                INSIDE,
                config.vcpus(),
                config.memory(),
                config.detached(),
                config.settings(),
                seen,
                config.kernelParameters(),
                config.cards(),
                config.networkNamespace(),
                config.memoryImage(),
                config.disks());
        return new RunAs(user, group(user), inside, List.copyOf(files));
    }

    private static void requireRoot(String user) {
        if (!isRoot()) {
            throw new UnsupportedException(
                    "only root can run the hypervisor as user " + user + ": leave the user out, it runs as you then");
        }
    }

    static boolean isRoot() {
        try {
            return Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0);
        } catch (IOException e) {
            return false; // it is not known to be root
        }
    }

    private static void refuse(String user, String what) {
        throw new UnsupportedException("a hypervisor that runs as user " + user + " cannot have " + what);
    }

    private static Path open(Path file, List<Path> files) {
        Path absolute = file.toAbsolutePath().normalize();
        try {
            if (Files.exists(absolute)
                    && !Files.getPosixFilePermissions(absolute).contains(PosixFilePermission.OTHERS_READ)) {
                throw new InvalidConfigException(
                        "guest file", absolute.toString(), "must be readable by all, as QEMU opens it as another user");
            }
        } catch (IOException e) {
            throw new HypervisorException("cannot look at " + absolute + ": " + e, e);
        }
        files.add(absolute);
        return Path.of("/proc/self/fd", Integer.toString(FIRST_FILE + files.size() - 1));
    }

    private static RootDisk open(String user, RootDisk disk, List<Path> files) {
        if (disk.nvdimm()) {
            refuse(user, "its root in persistent memory: use GuestRoot.image, a virtio disk");
        }
        files.add(disk.file().toAbsolutePath().normalize());
        return new RootDisk(
                Path.of("/dev/fdset", Integer.toString(FD_SET)), false, disk.fileSystem(), disk.partition());
    }

    private static String group(String user) {
        try {
            for (String line : Files.readAllLines(PASSWD)) {
                String[] fields = line.split(":", PASSWD_FIELDS);
                if (fields.length == PASSWD_FIELDS && fields[0].equals(user)) {
                    return fields[3];
                }
            }
        } catch (IOException e) {
            throw new HostSetupException("cannot read " + PASSWD + ": " + e, e);
        }
        throw new HostSetupException("there is no user " + user + " in " + PASSWD
                + " as whom the hypervisor could run: \"adduser --system --group " + user + "\" makes one");
    }

    /** Options of setpriv: another user, his groups, and no capability ever again. */
    List<String> privileges() {
        return List.of(
                "--reuid",
                user,
                "--regid",
                group,
                "--init-groups",
                "--inh-caps=-all",
                "--ambient-caps=-all",
                "--bounding-set=-all");
    }

    /** Further arguments of QEMU: the disk that it has open, and a monitor that takes those that are plugged in. */
    List<String> arguments() {
        List<String> line = new ArrayList<>();
        config.image()
                .disk()
                .ifPresent(disk ->
                        line.addAll(List.of("-add-fd", "fd=" + (FIRST_FILE + files.size() - 1) + ",set=" + FD_SET)));
        line.addAll(ControlArguments.openFiles(new SandboxFiles(INSIDE)));
        return line;
    }

    /** Gives the machine's directory, and the sockets in it on which we listen, to the user. */
    void handOver(SandboxFiles files) {
        try {
            UserPrincipalLookupService lookup =
                    files.directory().getFileSystem().getUserPrincipalLookupService();
            UserPrincipal owner = lookup.lookupPrincipalByName(user);
            GroupPrincipal ownerGroup = lookup.lookupPrincipalByGroupName(group);
            for (Path file : List.of(files.qmpSocket(), files.consoleSocket(), files.directory())) {
                PosixFileAttributeView view =
                        Files.getFileAttributeView(file, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
                view.setGroup(ownerGroup);
                view.setOwner(owner);
            }
        } catch (IOException e) {
            throw new HypervisorException("cannot give " + files.directory() + " to user " + user + ": " + e, e);
        }
    }
}
