// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.grpc.MethodDescriptor;
import io.virtcontainers.ProcessConfig;
import java.util.Optional;

/**
 * What a call is about, for the messages of its errors.
 *
 * @param method the name of the call, for example {@code ExecProcess}
 * @param subject what it acts on, for example {@code container web}; empty for the sandbox as a whole
 * @param process what the call asks the agent to start, if it does
 */
record Rpc(String method, String subject, Optional<ProcessConfig> process) {

    static Rpc of(MethodDescriptor<?, ?> method, String subject) {
        String full = method.getFullMethodName();
        return new Rpc(full.substring(full.lastIndexOf('/') + 1), subject, Optional.empty());
    }

    static String container(String containerId) {
        return "container " + containerId;
    }

    static String process(String containerId, String execId) {
        return "process " + execId + " of container " + containerId;
    }

    Rpc starting(ProcessConfig started) {
        return new Rpc(method, subject, Optional.of(started));
    }

    @Override
    public String toString() {
        return subject.isEmpty() ? method : method + " (" + subject + ")";
    }
}
