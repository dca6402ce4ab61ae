// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.Phases;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the kernel and the initrd, or finds them in the cache.
 *
 * <p>An image is kept under a key made of the content of all that it is made from. Reading all of that takes a tenth of a
 * second or more, so an index remembers the key together with the stamps that the files had: while all stamps are the
 * same, so is the key. It is written only when every file is old enough for a change to show in its stamp.
 */
final class GuestImageBuilder {
    private static final Logger log = LoggerFactory.getLogger(GuestImageBuilder.class);

    /** Changes with everything in this module that changes the images made from the same files. */
    private static final String FORMAT = "guest-image 4";

    private static final String LOCK = "guest";
    private static final String KERNEL = "vmlinux";
    private static final String INITRD = "initrd";
    private static final String MANIFEST = "manifest";
    private static final List<String> FILES = List.of(KERNEL, INITRD);
    private static final int ATTEMPTS = 2;

    private final ImageCache cache;
    private final Host host;
    private final KernelFinder kernels;

    GuestImageBuilder(ImageCache cache, Host host) {
        this.cache = cache;
        this.host = host;
        this.kernels = new KernelFinder(host, cache.root());
    }

    /** What is to be made from which files; their content is not looked at yet. */
    private record Request(KernelFile kernel, Path crun, AgentBinary agent) {
        String indexName() {
            return "guest-"
                    + new Sha256()
                            .add(FORMAT)
                            .add(kernel.path().toString())
                            .add(crun.toString())
                            .add(agent.location())
                            .hex();
        }
    }

    GuestImage image(Optional<Path> asked, Phases phases, Deadline deadline) throws IOException {
        AgentBinary agent = AgentBinary.of(host);
        Request request = new Request(kernels.find(asked), GuestInputs.findCrun(host), agent);
        Optional<GuestImage> known = fromIndex(request);
        if (known.isPresent()) {
            return known.get();
        }
        try (CacheLock lock = cache.lock(LOCK, deadline)) {
            Optional<GuestImage> madeMeanwhile = fromIndex(request);
            return madeMeanwhile.isPresent() ? madeMeanwhile.get() : make(request, phases, deadline);
        }
    }

    private Optional<GuestImage> fromIndex(Request request) throws IOException {
        List<String> lines = IndexFile.read(index(request)).orElse(List.of());
        if (lines.size() < 3) {
            return Optional.empty();
        }
        for (String line : lines.subList(2, lines.size())) {
            int space = line.indexOf(' ');
            if (!FileStamp.describe(Path.of(line.substring(space + 1))).equals(line.substring(0, space))) {
                return Optional.empty();
            }
        }
        Path entry = entry(lines.get(0));
        return Manifest.isIntact(entry.resolve(MANIFEST), entry, FILES)
                ? Optional.of(image(entry, lines.get(1)))
                : Optional.empty();
    }

    private Path index(Request request) {
        return cache.folder("index").resolve(request.indexName());
    }

    private Path entry(String key) {
        return cache.folder("guest").resolve(key);
    }

    private static GuestImage image(Path entry, String release) {
        return new GuestImage(entry.resolve(KERNEL), entry.resolve(INITRD), release);
    }

    /** @throws HostSetupException if the kernel's modules lack 9p */
    void require9p(Optional<Path> asked, Deadline deadline) throws IOException {
        KernelFile kernel = kernels.find(asked);
        String release = kernel.release(deadline);
        KernelModules modules = KernelModules.open(release, modules(kernel.path(), release), deadline);
        List<String> lacking = GuestInputs.modules9p().stream()
                .filter(name -> !modules.has(name))
                .toList();
        if (!lacking.isEmpty()) {
            throw new HostSetupException(
                    "kernel " + kernel.path() + ", version " + release + ", lacks "
                            + String.join(", ", lacking)
                            + ", which SharedFs.VIRTIO_9P needs in the guest: use one that has them, such"
                            + " as Debian's linux-image-amd64, by HypervisorConfig.kernel or VIRTCONTAINERS_KERNEL; or use VIRTIO_FS");
        }
    }

    /** The caller holds the lock. */
    private GuestImage make(Request request, Phases phases, Deadline deadline) throws IOException {
        Path work = cache.temporaryFolder(LOCK);
        try {
            for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
                Optional<GuestImage> made = attempt(request, work, phases, deadline);
                if (made.isPresent()) {
                    return made.get();
                }
            }
            throw new VirtException("kernel " + request.kernel().path()
                    + " or the files of crun changed while the guest image was made from them: try again when their"
                    + " installation is done");
        } finally {
            ImageCache.deleteTree(work);
        }
    }

    private Optional<GuestImage> attempt(Request request, Path work, Phases phases, Deadline deadline)
            throws IOException {
        Path kernel = request.kernel().path();
        GuestInputs inputs = new GuestInputs(host, deadline);
        inputs.stamp(kernel);
        String release = request.kernel().release(deadline);
        Initrd initrd = inputs.read(request.agent(), request.crun(), release, modules(kernel, release));
        Sha256 sha = new Sha256().add(FORMAT).add(Manifest.digest(kernel, deadline));
        initrd.addTo(sha);
        String key = sha.hex();
        Path entry = entry(key);
        if (!Manifest.verify(entry.resolve(MANIFEST), entry, FILES, work, deadline)) {
            Path finished = Files.createTempDirectory(work, "image");
            request.kernel().unpack(finished.resolve(KERNEL), phases, deadline);
            write(initrd, finished.resolve(INITRD), phases);
            if (!inputs.areUnchanged()) {
                return Optional.empty();
            }
            for (String file : FILES) {
                ImageCache.seal(finished.resolve(file));
            }
            Manifest.write(finished.resolve(MANIFEST), finished, FILES, work, deadline);
            cache.publish(finished, entry);
            log.info("made a guest image kernel={} release={} crun={} path={}", kernel, release, request.crun(), entry);
        }
        if (inputs.areSettled() && inputs.areUnchanged()) {
            writeIndex(request, key, release, inputs.stamps(), work);
        }
        return Optional.of(image(entry, release));
    }

    private Path modules(Path kernel, String release) {
        return kernels.modulesDirectory(kernel, release)
                .orElseThrow(() -> new HostSetupException("kernel " + kernel + " is version " + release
                        + ", but its modules are in none of " + kernels.modulesCandidates(kernel, release)
                        + ": install the kernel's whole package, or unpack it with `dpkg -x`"));
    }

    private static void write(Initrd initrd, Path file, Phases phases) throws IOException {
        try (Phases.Phase phase = phases.begin("initrd.build");
                OutputStream out = Files.newOutputStream(file)) {
            initrd.write(out);
        }
    }

    private void writeIndex(Request request, String key, String release, Map<Path, String> stamps, Path work)
            throws IOException {
        if (request.agent().file().isEmpty()) {
            return; // inside another archive: nothing would tell that it was replaced
        }
        List<String> lines = new ArrayList<>(List.of(key, release));
        for (Map.Entry<Path, String> stamp : stamps.entrySet()) {
            if (stamp.getKey().toString().contains("\n")) {
                return; // no index: slower, never wrong
            }
            lines.add(stamp.getValue() + " " + stamp.getKey());
        }
        IndexFile.write(index(request), lines, work);
    }
}
