// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnsafeByteOperations;
import java.io.IOException;
import java.io.UncheckedIOException;

/**
 * Reads and writes protobuf messages field by field. The two messages of the protocol are so small that generated classes
 * would cost more at the start of a program than they save, and a peer could make them take up many times the memory of
 * the bytes that it sends.
 */
final class ProtoFields {
    private ProtoFields() {}

    @FunctionalInterface
    interface FieldReader {
        /** Takes the field with this tag from the input; false if it is not known, and then nothing was taken. */
        boolean read(int tag, CodedInputStream in) throws IOException;
    }

    @FunctionalInterface
    interface Writer {
        void write(CodedOutputStream out) throws IOException;
    }

    /**
     * Reads all fields; those that the reader does not know are skipped. Byte fields share the memory of {@code data}.
     *
     * @throws InvalidProtocolBufferException if it is not a message
     */
    static void read(ByteString data, FieldReader reader) throws InvalidProtocolBufferException {
        CodedInputStream in = data.newCodedInput();
        in.enableAliasing(true);
        try {
            for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
                if (!reader.read(tag, in) && !in.skipField(tag)) {
                    throw new InvalidProtocolBufferException("a group ends that did not begin");
                }
            }
        } catch (InvalidProtocolBufferException e) {
            throw e;
        } catch (IOException e) {
            throw new UncheckedIOException("bytes in memory could not be read", e);
        }
    }

    static ByteString write(int size, Writer writer) {
        byte[] bytes = new byte[size];
        CodedOutputStream out = CodedOutputStream.newInstance(bytes);
        try {
            writer.write(out);
            out.checkNoSpaceLeft();
        } catch (IOException e) {
            throw new UncheckedIOException("bytes in memory could not be written", e);
        }
        return UnsafeByteOperations.unsafeWrap(bytes);
    }
}
