/// Puts a SafeTensors file together, also one that is not as it should be.
public struct SafeTensorsBuilder {
    public struct Tensor {
        public var name: String
        public var type: String
        public var shape: [Int]
        public var data: [UInt8]

        public init(name: String, type: String, shape: [Int], data: [UInt8]) {
            self.name = name
            self.type = type
            self.shape = shape
            self.data = data
        }
    }

    public var tensors: [Tensor] = []

    public init() {}

    /// The tensor called `name`; nil removes it.
    public subscript(name: String) -> Tensor? {
        get { tensors.first { $0.name == name } }
        set {
            guard let index = tensors.firstIndex(where: { $0.name == name }) else {
                if let newValue { tensors.append(newValue) }
                return
            }
            if let newValue { tensors[index] = newValue } else { tensors.remove(at: index) }
        }
    }

    /// The header's JSON text.
    public func header() -> String {
        var entries = [#""__metadata__": {"format": "pt"}"#]
        var offset = 0
        for tensor in tensors {
            let end = offset + tensor.data.count
            entries.append(
                #""\#(tensor.name)": {"dtype": "\#(tensor.type)", "shape": \#(tensor.shape), "#
                    + #""data_offsets": [\#(offset), \#(end)]}"#)
            offset = end
        }
        return "{" + entries.joined(separator: ", ") + "}"
    }

    /// The file, with another header than its own if one is given.
    public func build(header: String? = nil) -> [UInt8] {
        let text = Array((header ?? self.header()).utf8)
        var writer = ByteWriter()
        writer.integer(UInt64(text.count))
        return writer.bytes + text + tensors.flatMap(\.data)
    }
}
