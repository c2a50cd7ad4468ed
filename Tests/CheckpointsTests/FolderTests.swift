import Checkpoints
import TestSupport
import Testing

/// What `ModelFile` says of a folder.
private func refusal(_ folder: TemporaryFolder) throws -> CheckpointError {
    try #require(throws: CheckpointError.self) { try ModelFile(path: folder.path) }
}

@Suite struct `A checkpoint folder` {
    @Test func `has plain weights as they are`() throws {
        for (name, type) in [("F32", TensorType.f32), ("F16", .f16), ("BF16", .bf16)] {
            var tiny = TinyCheckpoint()
            tiny.architecture = "LlamaForCausalLM"
            tiny.weights = .plain(type: name)
            tiny.hasTiedHead = false
            let folder = try tiny.write()
            let model = try ModelFile(path: folder.path)
            #expect(model.layers[1].up.type == type)
            #expect(model.layers[1].attentionSubNorm == nil)
            #expect(model.configuration.activation == .silu)
            #expect(!model.configuration.hasSubNorms)
            #expect(!model.hasTiedHead)
            #expect(model.tensor(named: "lm_head.weight") == model.head)
        }
    }

    @Test func `has weights made ternary when they are loaded if it asks for that`() throws {
        for (name, type) in [("F32", TensorType.ternaryF32), ("F16", .ternaryF16), ("BF16", .ternaryBF16)] {
            var tiny = TinyCheckpoint()
            tiny.weights = .online(type: name)
            let folder = try tiny.write()
            let model = try ModelFile(path: folder.path)
            #expect(model.layers.flatMap(\.all).allSatisfy { $0.rows == 1 || $0.type == type })
            #expect(model.tokenEmbedding.type == .bf16)
            let matrix = try TernaryMatrix(model.layers[0].down)
            // The mean magnitude of what is spread evenly from −0.2 to 0.2.
            #expect(abs(matrix.scale - 0.1) < 0.005)
            var values = [Int8](repeating: 0, count: matrix.columns)
            matrix.decode(row: 5, into: &values)
            #expect(Set(values) == [-1, 0, 1])
        }
    }

    @Test func `leaves modules as they are that it names`() throws {
        var tiny = TinyCheckpoint()
        tiny.weights = .online(type: "BF16")
        let quantization =
            #"{"quant_method": "bitnet", "quantization_mode": "online", "modules_to_not_convert": ["layers.1.", "k_proj"]}"#
        tiny.members = [("quantization_config", quantization)]
        let folder = try tiny.write()
        let model = try ModelFile(path: folder.path)
        #expect(model.layers[0].query.type == .ternaryBF16)
        #expect(model.layers[0].key.type == .bf16)
        #expect(model.layers[1].query.type == .bf16)
    }

    @Test func `may be in several files, with an index`() throws {
        let tiny = TinyCheckpoint()
        let whole = try tiny.write()
        let folder = try Self.sharded(tiny)
        let model = try ModelFile(path: folder.path)
        #expect(model.layers[0].query.file.path != model.layers[1].query.file.path)
        let one = try ModelFile(path: whole.path)
        #expect(model.byteCount > one.byteCount - 1000)
        #expect(model.layerByteCounts == one.layerByteCounts)
        for (ours, theirs) in zip(model.layers.flatMap(\.all), one.layers.flatMap(\.all)) {
            #expect(ours.file.bytes(in: ours.byteRange) == theirs.file.bytes(in: theirs.byteRange))
            #expect(ours.scale == theirs.scale)
        }
        #expect(try ModelFile(path: folder.path + "/model.safetensors.index.json").headerDigest == model.headerDigest)
    }

    /// The second layer in a file of its own.
    private static func sharded(_ tiny: TinyCheckpoint) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write(tiny.configuration(), "config.json")
        var (first, second) = (SafeTensorsBuilder(), SafeTensorsBuilder())
        var map: [String] = []
        for tensor in tiny.tensors().tensors {
            let isSecond = tensor.name.contains("layers.1.")
            if isSecond { second.tensors.append(tensor) } else { first.tensors.append(tensor) }
            map.append(#""\#(tensor.name)": "model-0000\#(isSecond ? 2 : 1)-of-00002.safetensors""#)
        }
        try folder.write(first.build(), "model-00001-of-00002.safetensors")
        try folder.write(second.build(), "model-00002-of-00002.safetensors")
        try folder.write(
            #"{"metadata": {}, "weight_map": {\#(map.joined(separator: ", "))}}"#, "model.safetensors.index.json")
        return folder
    }

    private static let second = "model-00002-of-00002.safetensors"
    private static let norm = #""model.layers.1.input_layernorm.weight": "model-00002-of-00002.safetensors""#

    @Test(arguments: [
        (norm, #""x": "../model.safetensors""#, "x: is not in a .safetensors file of this folder"),
        (norm, #""x": "/etc/passwd""#, "x: is not in a .safetensors file of this folder"),
        (norm, #""x": 1"#, "x: is not in a .safetensors file of this folder"),
        (norm, norm + ", " + norm, "model.layers.1.input_layernorm.weight: the tensor is listed twice"),
        (norm, norm.replacing("00002-of", with: "00001-of"), "where the index has it not"),
        (norm, norm.replacing("00002-of", with: "00003-of"), "the index lists this file, but it is not there"),
        (norm, norm + #", "x": "model-00001-of-00002.safetensors""#, "the index has it in model-00001-of"),
        (#""weight_map""#, #""weight_maps""#, "weight_map: the key is missing or no object"),
    ])
    func `is refused if index and files disagree`(old: String, new: String, saying: String) throws {
        let folder = try Self.sharded(TinyCheckpoint())
        try folder.replace(old, with: new, in: "model.safetensors.index.json")
        #expect(try refusal(folder).description.contains(saying))
    }

    @Test func `is refused if a tensor is in two files`() throws {
        let folder = try Self.sharded(TinyCheckpoint())
        try folder.write(TinyCheckpoint().tensors().build(), Self.second)
        let error = try refusal(folder)
        #expect(error.description.contains("model.norm.weight: it is both in model-00001-of-00002.safetensors and in"))
    }

    @Test func `is refused if it holds no model`() throws {
        let folder = try TemporaryFolder()
        #expect(try refusal(folder).description.hasPrefix("\(folder.path): config.json: the folder has no such file"))
        try folder.write(TinyCheckpoint().configuration(), "config.json")
        #expect(try refusal(folder).description.contains("neither it nor model.safetensors.index.json"))
        try folder.write("[]", "config.json")
        #expect(try refusal(folder).description.contains("is an array, not an object"))
        try folder.write("{", "config.json")
        #expect(try refusal(folder).description.contains("not valid JSON"))
        let device = try #require(throws: CheckpointError.self) { try ModelFile(path: "/dev/null") }
        #expect(device.description == "/dev/null: not a regular file; give the path of a file")
    }

    @Test func `is refused with all missing, mis-shaped and unexpected tensors at once`() throws {
        let tiny = TinyCheckpoint()
        let folder = try tiny.write()
        var tensors = tiny.tensors()
        tensors["model.norm.weight"] = nil
        tensors["model.layers.0.mlp.up_proj.weight_scale"] = nil
        tensors["model.layers.0.self_attn.k_proj.weight"]?.shape = [16, 32]
        tensors["model.layers.1.self_attn.k_proj.weight"]?.type = "I8"
        tensors["model.layers.1.self_attn.o_proj.weight_scale"]?.data = [0x80, 0x7F]
        tensors["extra.weight"] = SafeTensorsBuilder.Tensor(
            name: "extra.weight", type: "F32", shape: [1], data: [0, 0, 0, 0])
        try folder.write(tensors.build(), "model.safetensors")
        let error = try refusal(folder)
        let text = error.description
        #expect(text.contains("model.norm.weight: the tensor is missing"))
        #expect(text.contains("model.layers.0.mlp.up_proj.weight_scale: the tensor is missing"))
        #expect(
            text.contains("model.layers.1.self_attn.k_proj.weight: tensor type I8 is not supported; supported: F32"))
        #expect(text.contains("model.layers.1.self_attn.o_proj.weight_scale: inf is no scale"))
        #expect(text.contains("extra.weight: a BitNetForCausalLM model of 2 layers has no such tensor"))
    }

    @Test func `is refused if weights are not as the configuration has them quantised`() throws {
        var tiny = TinyCheckpoint()
        tiny.weights = .plain(type: "BF16")
        let folder = try tiny.write()
        tiny.weights = .packed
        try folder.write(tiny.configuration(), "config.json")
        #expect(try refusal(folder).description.contains("it is BF16, but quantization_mode offline means packed"))
        try folder.write(tiny.tensors().build(), "model.safetensors")
        tiny.weights = .plain(type: "BF16")
        try folder.write(tiny.configuration(), "config.json")
        #expect(try refusal(folder).description.contains("packed weights need a quantization_config"))
    }

    @Test func `tells by its digest whether anything but weights differs`() throws {
        let folder = try TinyCheckpoint().write()
        func digest() throws -> [UInt8] { try ModelFile(path: folder.path).headerDigest }
        let before = try digest()
        #expect(before.count == 32)
        var other = TinyCheckpoint()
        other.seed = 2
        try folder.write(other.tensors().build(), "model.safetensors")
        #expect(try digest() == before)
        var seen: Set<[UInt8]> = [before]
        for name in ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"] {
            try folder.write("{}", name)
            #expect(seen.insert(try digest()).inserted)
        }
        other.members = [("rms_norm_eps", "1e-06")]
        try folder.write(other.configuration(), "config.json")
        #expect(seen.insert(try digest()).inserted)
    }

    @Test func `is refused or leads to a model within its files, whatever the damage to its configuration`() throws {
        let tiny = TinyCheckpoint()
        let folder = try tiny.write()
        let whole = Array(tiny.configuration().utf8)
        var random = SeededGenerator(seed: 41)
        var refused = 0
        for _ in 0..<3000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes.remove(at: position)
                case 1: bytes[position] = Array(#"{}[]":,0-9e"#.utf8).randomElement(using: &random) ?? 0
                default: bytes[position] = UInt8.random(in: 0...255, using: &random)
                }
            }
            try folder.write(bytes, "config.json")
            do {
                let model = try ModelFile(path: folder.path)
                #expect(model.layers.flatMap(\.all).allSatisfy { $0.file.contains($0.byteRange) })
            } catch {
                #expect(error.description.hasPrefix(folder.path))
                refused += 1
            }
        }
        #expect(refused > 1000 && refused < 3000)
    }
}
