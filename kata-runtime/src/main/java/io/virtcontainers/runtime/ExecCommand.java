// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.CommandNotFoundException;
import io.virtcontainers.Container;
import io.virtcontainers.HostProcess;
import io.virtcontainers.VirtException;
import io.virtcontainers.oci.OciState;
import io.virtcontainers.runtime.Registry.Entry;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** {@code exec ID COMMAND}: starts one more process in a container; its exit code is this program's. */
final class ExecCommand {
    private ExecCommand() {}

    static int run(GlobalOptions options, List<String> words) throws IOException {
        ExecOptions exec = ExecOptions.parse(words);
        if (exec.detach() || exec.consoleSocket().isPresent()) {
            SupervisorProcess supervisor = Terminals.with(
                    exec.consoleSocket(), device -> SupervisorProcess.start(options, "exec", exec.words(), device));
            CreateCommand.writePid(exec.pidFile(), supervisor.pid());
            return exec.detach() ? 0 : supervisor.await();
        }
        return inForeground(options, exec);
    }

    private static int inForeground(GlobalOptions options, ExecOptions exec) throws IOException {
        try (ExecProcess process = ExecProcess.start(options.root(), usable(options.root(), exec.id()), exec)) {
            Optional<Console> console = process.terminal() ? Optional.of(Console.raw()) : Optional.empty();
            try {
                Relay relay = new Relay(process, process.terminal());
                relay.start();
                CreateCommand.writePid(exec.pidFile(), HostProcess.current().pid());
                return relay.await();
            } finally {
                if (console.isPresent()) {
                    console.get().close();
                }
            }
        } catch (CommandNotFoundException e) {
            System.err.println(e.getMessage());
            return e.exitCode();
        }
    }

    /** @throws VirtException if nothing stands for it any more; whether it runs, its supervisor knows */
    static Entry usable(Path root, String id) throws IOException {
        Entry entry = new Registry(root).get(id);
        if (!entry.supervisor().isAlive()) {
            throw notRunning(id, OciState.Status.STOPPED);
        }
        return entry;
    }

    private static VirtException notRunning(String id, OciState.Status status) {
        return new VirtException("container " + id + " is " + status + ": it must be running");
    }

    /** @throws VirtException unless it runs */
    static Container usable(Containers containers, String id) throws IOException {
        OciState.Status status = containers.status(containers.registry().get(id));
        if (status != OciState.Status.RUNNING) {
            throw notRunning(id, status);
        }
        return containers.container(id);
    }
}
