// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.CommandNotFoundException;
import io.virtcontainers.Container;
import io.virtcontainers.HostProcess;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.VirtException;
import io.virtcontainers.oci.OciState;
import java.io.IOException;
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
        try (Containers containers = Containers.open(options)) {
            Container container = usable(containers, exec.id());
            ProcessConfig process = exec.process(container.config().process());
            boolean terminal = process.terminal().isPresent();
            Optional<Console> console = terminal ? Optional.of(Console.raw()) : Optional.empty();
            try {
                Relay relay = new Relay(container.exec(process), terminal);
                relay.start();
                CreateCommand.writePid(exec.pidFile(), HostProcess.current().pid());
                return relay.await();
            } catch (CommandNotFoundException e) {
                System.err.println(e.getMessage());
                return e.exitCode();
            } finally {
                if (console.isPresent()) {
                    console.get().close();
                }
            }
        }
    }

    /** @throws VirtException unless it runs */
    static Container usable(Containers containers, String id) throws IOException {
        OciState.Status status = containers.status(containers.registry().get(id));
        if (status != OciState.Status.RUNNING) {
            throw new VirtException("container " + id + " is " + status + ": it must be running");
        }
        return containers.container(id);
    }
}
