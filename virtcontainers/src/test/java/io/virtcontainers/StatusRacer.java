// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;

/**
 * Asks for the status of container {@code c} of sandbox {@code d} until it is stopped, from two threads: by a handle that
 * is kept, and by one for each question. As a program it does so for each line, the pid of the shim, and answers.
 */
final class StatusRacer implements AutoCloseable {
    private final VirtContainers vc;

    StatusRacer(Path state) {
        vc = VirtContainers.builder().stateDirectory(state).open();
    }

    public static void main(String[] args) throws IOException {
        try (StatusRacer racer = new StatusRacer(Path.of(args[0]));
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            System.out.println("ready");
            for (String pid = in.readLine(); pid != null; pid = in.readLine()) {
                HostProcess shim = HostProcess.of(Long.parseLong(pid));
                CompletableFuture<String> verdict = racer.race(shim);
                System.out.println("racing");
                System.out.println(verdict.join());
            }
        }
    }

    /** Both threads; the verdict is {@code fine} unless one was told "running" when the shim had died before it asked. */
    CompletableFuture<String> race(HostProcess shim) {
        CompletableFuture<String> kept = CompletableFuture.supplyAsync(() -> {
            Container container = vc.sandbox("d").container("c");
            return poll(shim, container::state);
        });
        CompletableFuture<String> fresh = CompletableFuture.supplyAsync(
                () -> poll(shim, () -> vc.status("d").containers().get(0).state()));
        return kept.thenCombine(fresh, (one, other) -> one.equals("fine") ? other : one);
    }

    private static String poll(HostProcess shim, java.util.function.Supplier<State> question) {
        try {
            while (true) {
                boolean dead = !shim.isAlive();
                State state = question.get();
                if (state == State.STOPPED) {
                    return "fine";
                }
                if (dead) {
                    return "the shim was dead, but the container was told to be " + state;
                }
            }
        } catch (RuntimeException e) {
            return e.toString();
        }
    }

    @Override
    public void close() {
        vc.close();
    }
}
