// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.Accelerator;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.Phases;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides between KVM and TCG by a real boot, once per host boot, QEMU binary and /dev/kvm. A failure is tried again
 * after an hour, as a host that was too busy for the probe can have a good KVM. Thread-safe.
 */
final class Accelerators {
    private static final Logger log = LoggerFactory.getLogger(Accelerators.class);
    private static final Duration FAILURE_VALID = Duration.ofHours(1);
    private static final Duration SUCCESS_VALID = Duration.ofDays(36500);
    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");

    private final Path device;
    private final AcceleratorProbe probe;
    private final HostFacts facts;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<String, Verdict> known = new HashMap<>();
    private boolean told;

    /** @param device {@code /dev/kvm} */
    Accelerators(Path device, AcceleratorProbe probe, HostFacts facts) {
        this.device = device;
        this.probe = probe;
        this.facts = facts;
    }

    /**
     * @return whether to use KVM
     * @throws HypervisorException if KVM was asked for and does not work
     */
    boolean useKvm(Accelerator wanted, MachineModel model, QemuInstallation qemu, Phases phases, Deadline deadline) {
        return switch (wanted) {
            case TCG -> false;
            case KVM -> {
                Optional<String> problem = problem(model, qemu, phases, deadline);
                if (problem.isPresent()) {
                    throw new HypervisorException(
                            "accelerator KVM cannot be used: " + problem.get() + "; use AUTO or TCG to emulate");
                }
                yield true;
            }
            case AUTO -> {
                Optional<String> problem = problem(model, qemu, phases, deadline);
                problem.ifPresent(this::tell);
                yield problem.isEmpty();
            }
        };
    }

    private synchronized void tell(String problem) {
        if (!told) {
            told = true;
            log.info("accelerator=tcg guests are emulated, several times slower than with KVM reason={}", problem);
        }
    }

    /** Why KVM does not work here; empty if it does. */
    Optional<String> problem(MachineModel model, QemuInstallation qemu, Phases phases, Deadline deadline) {
        if (!Files.exists(device)) {
            return Optional.of("there is no " + device
                    + ": the processor or its firmware settings lack virtualization, or the module kvm_intel or"
                    + " kvm_amd is not loaded");
        }
        if (!Files.isReadable(device) || !Files.isWritable(device)) {
            return Optional.of("no permission to read and write " + device
                    + ": add your user to its group (\"usermod -aG kvm USER\") and log in again");
        }
        if (!model.isX86()) {
            return Optional.empty(); // the probe's guest is one of x86
        }
        String key = identity(qemu);
        Locks.acquire(lock, deadline, "the end of the probe of KVM in another thread");
        try {
            Verdict verdict = known.get(key);
            if (verdict != null && !verdict.isValid()) {
                verdict = null;
            }
            if (verdict == null) {
                verdict = remembered(qemu, key).orElse(null);
            }
            if (verdict == null) {
                verdict = probe(qemu, key, phases, deadline);
            }
            known.put(key, verdict);
            return verdict.problem();
        } finally {
            lock.unlock();
        }
    }

    private Verdict probe(QemuInstallation qemu, String key, Phases phases, Deadline deadline) {
        Phases.Phase phase = phases.begin("accelerator.probe");
        try {
            Verdict verdict = Verdict.now(probe.failure(qemu, true, deadline));
            facts.write(factName(qemu), key, Map.of("problem", verdict.problem().orElse("")));
            return verdict;
        } finally {
            phase.close();
        }
    }

    private Optional<Verdict> remembered(QemuInstallation qemu, String key) {
        Optional<Verdict> success = facts.read(factName(qemu), key, SUCCESS_VALID)
                .map(Verdict::of)
                .filter(verdict -> verdict.problem().isEmpty());
        return success.or(() -> facts.read(factName(qemu), key, FAILURE_VALID).map(Verdict::of));
    }

    private static String factName(QemuInstallation qemu) {
        return "kvm-" + QemuInstallations.factName(qemu.binary());
    }

    private String identity(QemuInstallation qemu) {
        try {
            Map<String, Object> kvm = Files.readAttributes(device, "unix:rdev,ino,ctime");
            return Files.readString(BOOT_ID).strip() + "|" + QemuInstallations.identity(qemu.binary()) + "|" + device
                    + "|" + kvm.get("rdev") + "|" + kvm.get("ino") + "|" + kvm.get("ctime");
        } catch (IOException e) {
            throw new HypervisorException("cannot read the attributes of " + device + ": " + e, e);
        }
    }

    /**
     * @param problem why KVM does not work, or empty if it does
     * @param foundAtNanos when that was found out
     */
    private record Verdict(Optional<String> problem, long foundAtNanos) {
        static Verdict now(Optional<String> problem) {
            return new Verdict(problem, System.nanoTime());
        }

        static Verdict of(Map<String, String> fact) {
            return now(Optional.ofNullable(fact.get("problem")).filter(text -> !text.isEmpty()));
        }

        boolean isValid() {
            return problem.isEmpty() || System.nanoTime() - foundAtNanos < FAILURE_VALID.toNanos();
        }
    }
}
