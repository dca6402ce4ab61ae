// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.grpc.MethodDescriptor;
import java.io.ByteArrayInputStream;
import java.io.InputStream;

/** Lets a fake send bytes that are no message. */
record RawOrTyped(MethodDescriptor.Marshaller<Object> typed) implements MethodDescriptor.Marshaller<Object> {
    @Override
    public InputStream stream(Object value) {
        return value instanceof byte[] bytes ? new ByteArrayInputStream(bytes) : typed.stream(value);
    }

    @Override
    public Object parse(InputStream stream) {
        return typed.parse(stream);
    }
}
