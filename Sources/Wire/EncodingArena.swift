import CClusterProto
import CProtobufC
import Glibc
import Transport

/// Memory for one envelope in protobuf-c's own structs, given back all at once.
final class EncodingArena {
    private var blocks: [UnsafeMutableRawPointer] = []

    deinit {
        for block in blocks { block.deallocate() }
    }

    /// The bytes of an envelope that `EnvelopeRules` has accepted.
    func bytes(of envelope: Envelope, limit: Int) throws(WireError) -> [UInt8] {
        // The messages point into the arena, so it must outlive their packing.
        defer { withExtendedLifetime(self) {} }
        let message = self.envelope(envelope)
        let byteCount = ryz__v1__envelope__get_packed_size(message)
        guard byteCount <= limit else { throw .tooLarge(byteCount: byteCount, limit: limit) }
        return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initializedCount in
            initializedCount = ryz__v1__envelope__pack(message, buffer.baseAddress)
        }
    }

    /// A message, set up by its generated `…__init`.
    func make<Message>(
        _ initialise: (UnsafeMutablePointer<Message>?) -> Void
    ) -> UnsafeMutablePointer<Message> {
        let message = allocate(Message.self, count: 1)
        initialise(message)
        return message
    }

    /// `elements` in consecutive memory; nil if there are none.
    func array<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutablePointer<Element>? {
        if elements.isEmpty { return nil }
        let pointer = allocate(Element.self, count: elements.count)
        pointer.initialize(from: elements, count: elements.count)
        return pointer
    }

    /// Pointers to the messages that `make` makes of `values`; nil if there are none.
    func messages<Value, Message>(
        _ values: [Value], _ make: (Value) -> UnsafeMutablePointer<Message>
    ) -> UnsafeMutablePointer<UnsafeMutablePointer<Message>?>? {
        if values.isEmpty { return nil }
        let pointers = allocate(UnsafeMutablePointer<Message>?.self, count: values.count)
        for (index, value) in values.enumerated() { (pointers + index).initialize(to: make(value)) }
        return pointers
    }

    /// A NUL-terminated copy of `text`.
    func string(_ text: String) -> UnsafeMutablePointer<CChar> {
        let bytes = text.utf8CString
        let pointer = allocate(CChar.self, count: bytes.count)
        for (index, byte) in bytes.enumerated() { (pointer + index).initialize(to: byte) }
        return pointer
    }

    /// A copy of `bytes`.
    func binary(_ bytes: [UInt8]) -> ProtobufCBinaryData {
        ProtobufCBinaryData(len: bytes.count, data: array(bytes))
    }

    private func allocate<Element>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> {
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: count * MemoryLayout<Element>.stride, alignment: MemoryLayout<Element>.alignment)
        blocks.append(block)
        return block.bindMemory(to: Element.self, capacity: count)
    }
}
