// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.UnsupportedException;
import java.time.Duration;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the hooks of a container on the host, one after another (runtime-spec, runtime.md, lifecycle). Immutable.
 *
 * <p>A hook gets the state of the container as JSON on its standard input, exactly the arguments and the environment that
 * the configuration gives it, and the bundle as its working directory. It has succeeded if it ends with 0 within its
 * timeout, or within five minutes if it has none, so that no hook holds up its engine for ever. A hook that is too late,
 * or whose caller is interrupted, is killed with its descendants, except those that have left it (daemon(3)).
 *
 * <p>Hooks are started by the calling thread and so run in its network namespace; Kata runs those up to the start of the
 * container in that of the sandbox. Nothing is left behind: no thread, no file, no open pipe.
 */
public final class HookRunner {
    /** For hooks that have no timeout of their own. */
    public static final Duration DEFAULT_TIMEOUT = Duration.ofMinutes(5);

    private static final Logger LOG = LoggerFactory.getLogger(HookRunner.class);

    private final OciHooks hooks;

    public HookRunner(OciHooks hooks) {
        this.hooks = hooks;
    }

    /**
     * Runs all hooks of one kind. The first that fails ends it with its error, except among those of {@link
     * HookKind#POSTSTOP}: these are logged, as what is gone cannot be brought back. After an error of {@link
     * HookKind#POSTSTART} the container still runs, and the caller decides about it: runc and Kata's command stop it and
     * report the error, Kata's shim warns.
     *
     * @throws HookFailedException if a hook cannot be started, or does not succeed
     * @throws HostSetupException if a hook goes by another name than its path, and there is no Perl to give it that name
     * @throws DeadlineExceededException if a hook takes too long
     * @throws io.virtcontainers.CancelledException if the thread is interrupted
     * @throws UnsupportedException if there are hooks of this kind, and they belong into the guest
     */
    public void run(HookKind kind, OciState state) {
        List<OciHooks.Hook> list = hooks.of(kind);
        for (int i = 0; i < list.size(); i++) {
            OciHooks.Hook hook = list.get(i);
            String name = "hook hooks." + kind + '[' + i + "] " + hook.path();
            if (kind.inGuest()) {
                throw new UnsupportedException(
                        name + " cannot be run: it belongs into the container's namespaces, which are in the guest");
            }
            try {
                HookProcess.run(name, hook, state, hook.timeout().orElse(DEFAULT_TIMEOUT));
            } catch (HookFailedException | DeadlineExceededException | HostSetupException e) {
                if (kind != HookKind.POSTSTOP) {
                    throw e;
                }
                LOG.warn("container={} {}", state.id(), e.getMessage());
            }
        }
    }
}
