// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.HostProcess;
import io.virtcontainers.UnsupportedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(60)
class HookRunnerTest {
    private static final String SHELL = "/bin/sh";

    @TempDir
    Path bundle;

    private OciState state() {
        return new OciState(
                "1.1.0", "c1", OciState.Status.CREATED, OptionalLong.of(42), bundle.toString(), Map.of("k", "v"));
    }

    private static OciHooks.Hook shell(String script) {
        return new OciHooks.Hook(SHELL, List.of(SHELL, "-c", script), List.of("PATH=/bin:/usr/bin"), Optional.empty());
    }

    private static OciHooks.Hook shell(String script, Duration timeout) {
        OciHooks.Hook hook = shell(script);
        return new OciHooks.Hook(hook.path(), hook.args(), hook.env(), Optional.of(timeout));
    }

    private void run(HookKind kind, OciHooks.Hook... hooks) {
        new HookRunner(new OciHooks(Map.of(kind, Arrays.asList(hooks)))).run(kind, state());
    }

    private String written(String file) throws IOException {
        return Files.readString(bundle.resolve(file));
    }

    @ParameterizedTest
    @EnumSource(names = {"PRESTART", "CREATE_RUNTIME", "POSTSTART", "POSTSTOP"})
    void hooksOfTheHostRunInOrderInTheBundle(HookKind kind) throws IOException {
        run(kind, shell("echo one >> order"), shell("echo two >> order"));

        assertThat(written("order")).isEqualTo("one\ntwo\n");
    }

    @Test
    void aHookGetsTheCompleteState() throws IOException {
        run(HookKind.PRESTART, shell("cat > state"));

        assertThat(OciState.parse(written("state"))).isEqualTo(state());
    }

    @Test
    void aHookThatDoesNotReadALargeStateIsNotWaitedFor() {
        OciState large = new OciState(
                "1.1.0",
                "c1",
                OciState.Status.CREATED,
                OptionalLong.of(42),
                bundle.toString(),
                Map.of("k", "v".repeat(1 << 20)));

        new HookRunner(new OciHooks(Map.of(HookKind.PRESTART, List.of(shell("exit 0", Duration.ofSeconds(10))))))
                .run(HookKind.PRESTART, large);
    }

    @Test
    void theEnvironmentIsExactlyTheOneGiven() throws IOException {
        Path output = bundle.resolve("env");
        OciHooks.Hook hook = new OciHooks.Hook(
                "/bin/cp",
                List.of("/bin/cp", "/proc/self/environ", "env"),
                List.of("A=b=c", "EMPTY=", "A=second", "NOTHING", "=x"),
                Optional.empty());
        run(HookKind.PRESTART, hook);
        assertThat(Files.readString(output).split("\0")).containsExactlyInAnyOrder("A=b=c", "EMPTY=");

        run(HookKind.PRESTART, new OciHooks.Hook(hook.path(), hook.args(), List.of(), Optional.empty()));
        assertThat(output).isEmptyFile();
    }

    @Test
    void aProgramMayGoByAnotherNameThanItsPath() throws IOException {
        OciHooks.Hook hook = new OciHooks.Hook(
                SHELL,
                List.of("libnetwork-setkey", "-c", "tr '\\0' '\\n' < /proc/$$/cmdline > name", "with 'quotes' $HOME"),
                List.of("PATH=/bin:/usr/bin"),
                Optional.empty());

        run(HookKind.PRESTART, hook);

        assertThat(written("name").lines())
                .startsWith("libnetwork-setkey", "-c")
                .endsWith("with 'quotes' $HOME");
    }

    @Test
    void withoutArgumentsTheNameIsThePath() throws IOException {
        Path program = bundle.resolve("program");
        Files.writeString(program, "#!/bin/sh\necho \"$0\" $# > name\n");
        assertThat(program.toFile().setExecutable(true)).isTrue();

        run(HookKind.PRESTART, new OciHooks.Hook(program.toString(), List.of(), List.of(), Optional.empty()));

        assertThat(written("name")).isEqualTo(program + " 0\n");
    }

    @ParameterizedTest
    @EnumSource(names = {"PRESTART", "CREATE_RUNTIME", "POSTSTART"})
    void theFirstFailureEndsItWithWhatTheHookWrote(HookKind kind) {
        assertThatThrownBy(() -> run(kind, shell("echo out; echo err >&2; exit 3"), shell("touch second")))
                .isInstanceOf(HookFailedException.class)
                .hasMessage("hook hooks." + kind + "[0] /bin/sh ended with 3; it wrote: out\nerr");
        assertThat(bundle.resolve("second")).doesNotExist();
    }

    @Test
    void afterTheContainerFailuresAreLoggedAndTheOthersStillRun() {
        run(
                HookKind.POSTSTOP,
                shell("exit 3"),
                new OciHooks.Hook("/missing", List.of(), List.of(), Optional.empty()),
                shell("sleep 60", Duration.ofMillis(100)),
                shell("touch last"));

        assertThat(bundle.resolve("last")).exists();
    }

    @Test
    void aHookThatCannotBeStartedIsAFailure() {
        for (List<String> args : List.of(List.<String>of(), List.of("name"))) {
            assertThatThrownBy(() ->
                            run(HookKind.PRESTART, new OciHooks.Hook("/missing", args, List.of(), Optional.empty())))
                    .isInstanceOf(HookFailedException.class)
                    .hasMessageContaining("hooks.prestart[0] /missing")
                    .hasMessageContaining("No such file or directory");
        }
    }

    @Test
    void hugeOutputIsBounded() {
        assertThatThrownBy(
                        () -> run(HookKind.PRESTART, shell("yes 0123456789 | head -c 50000000; echo the end; exit 1")))
                .isInstanceOf(HookFailedException.class)
                .hasMessageEndingWith("the end")
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(4400));
    }

    @Test
    void aTimeoutKillsTheHookAndADescendantThatIgnoresTerm() throws IOException {
        String stubborn = "trap '' TERM; (trap '' TERM; sh -c \"echo \\$\\$ > pid; while :; do sleep 1; done\") & wait";

        assertThatThrownBy(() -> run(HookKind.PRESTART, shell("echo busy; " + stubborn, Duration.ofSeconds(1))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("did not end within 1 s")
                .hasMessageEndingWith("busy");

        long grandchild = Long.parseLong(written("pid").strip());
        await().untilAsserted(() -> assertThat(HostProcess.find(grandchild)).isEmpty());
    }

    @Test
    void anInterruptKillsTheHook() throws Exception {
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        AtomicReference<Boolean> flag = new AtomicReference<>();
        Thread caller = new Thread(() -> {
            try {
                run(HookKind.PRESTART, shell("echo $$ > pid.new; mv pid.new pid; sleep 60"));
            } catch (RuntimeException e) {
                thrown.set(e);
                flag.set(Thread.currentThread().isInterrupted());
            }
        });
        caller.start();
        await().until(() -> Files.exists(bundle.resolve("pid")));
        long hook = Long.parseLong(written("pid").strip());

        caller.interrupt();
        caller.join();

        assertThat(thrown.get()).isInstanceOf(CancelledException.class);
        assertThat(flag.get()).isTrue();
        await().untilAsserted(() -> assertThat(HostProcess.find(hook)).isEmpty());
    }

    @Test
    void aDaemonOfAHookThatSucceededIsLeftAloneAndNotWaitedFor() throws IOException {
        run(HookKind.PRESTART, shell("sleep 60 & echo $! > pid", Duration.ofSeconds(10)));

        long daemon = Long.parseLong(written("pid").strip());
        assertThat(HostProcess.find(daemon)).isPresent();
        assertThat(ProcessHandle.of(daemon).orElseThrow().destroyForcibly()).isTrue();
    }

    @Test
    void nothingIsLeftBehind() throws IOException {
        run(HookKind.PRESTART, shell("echo warm up"));
        Set<String> files = leftovers();
        Set<Thread> threads = threads();

        run(HookKind.PRESTART, shell("echo done"));
        assertThatThrownBy(() -> run(HookKind.PRESTART, shell("exit 1"))).isInstanceOf(HookFailedException.class);

        assertThat(leftovers()).isEqualTo(files);
        assertThat(threads()).isSubsetOf(threads);
    }

    private static Set<String> leftovers() throws IOException {
        try (Stream<Path> files = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.startsWith("hook"))
                    .collect(Collectors.toSet());
        }
    }

    /** But for the JDK's own, which wait for a minute for the end of the next process. */
    private static Set<Thread> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> !thread.getName().startsWith("process reaper"))
                .collect(Collectors.toSet());
    }

    @ParameterizedTest
    @EnumSource(names = {"CREATE_CONTAINER", "START_CONTAINER"})
    void hooksOfTheGuestAreRefusedByName(HookKind kind) {
        assertThatThrownBy(() -> run(kind, shell("touch file")))
                .isInstanceOf(UnsupportedException.class)
                .hasMessageContaining("hooks." + kind + "[0] /bin/sh")
                .hasMessageContaining("in the guest");
        assertThat(bundle.resolve("file")).doesNotExist();
        run(kind);
    }
}
