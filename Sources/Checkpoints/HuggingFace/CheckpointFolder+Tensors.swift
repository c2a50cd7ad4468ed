import JSON
import Kernels

/// The tensors of a folder, in one SafeTensors file or several.
struct CheckpointTensors {
    /// In the order of their names.
    var files: [SafeTensorsFile]
    /// What the index or the files were found to have wrong.
    var problems: [CheckpointProblem] = []
}

extension CheckpointFolder {
    /// As many files as the largest models come in, and some.
    private static let maximumFileCount = 1024

    /// Maps and checks the weights: `model.safetensors`, else those that `model.safetensors.index.json` lists.
    func tensors() throws(CheckpointError) -> CheckpointTensors {
        if let whole = try Self.map(path + "/" + Self.weights) {
            return CheckpointTensors(files: [try SafeTensorsFile(file: whole)])
        }
        guard let index = try json(Self.index) else {
            throw .inconsistent(
                path: path,
                [
                    CheckpointProblem(
                        place: Self.weights, problem: "the folder has neither it nor \(Self.index)",
                        remedy: "fetch the model's SafeTensors files; PyTorch's .bin files are not read")
                ])
        }
        return try shards(index)
    }

    private func shards(_ index: JSONDocument) throws(CheckpointError) -> CheckpointTensors {
        let indexPath = path + "/" + Self.index
        var fileNames: [String: String] = [:]
        var problems: [CheckpointProblem] = []
        guard let map = index.root.value["weight_map"]?.members else {
            throw .malformed(
                path: indexPath,
                CheckpointProblem(
                    place: "weight_map", problem: "the key is missing or no object", remedy: "fetch the file again"))
        }
        for member in map {
            guard let file = member.node.value.string, Self.isPlain(file) else {
                problems.append(indexProblem(member.key, "is not in a .safetensors file of this folder"))
                continue
            }
            if fileNames.updateValue(file, forKey: member.key) != nil {
                problems.append(indexProblem(member.key, "the tensor is listed twice"))
            }
        }
        let names = Set(fileNames.values).sorted()
        guard !names.isEmpty, names.count <= Self.maximumFileCount, problems.isEmpty else {
            if problems.isEmpty {
                problems.append(
                    indexProblem("weight_map", "it lists \(names.count) files, not 1 to \(Self.maximumFileCount)"))
            }
            throw .inconsistent(path: indexPath, problems)
        }
        var tensors = CheckpointTensors(files: [])
        var places: [String: String] = [:]
        for name in names {
            guard let file = try Self.map(path + "/" + name) else {
                tensors.problems.append(indexProblem(name, "the index lists this file, but it is not there"))
                continue
            }
            let shard = try SafeTensorsFile(file: file)
            for tensor in shard.tensors {
                if let other = places.updateValue(name, forKey: tensor.name) {
                    tensors.problems.append(indexProblem(tensor.name, "it is both in \(other) and in \(name)"))
                } else if fileNames[tensor.name] != name {
                    tensors.problems.append(indexProblem(tensor.name, "it is in \(name), where the index has it not"))
                }
            }
            tensors.files.append(shard)
        }
        for name in fileNames.keys.sorted() where places[name] == nil {
            let file = fileNames[name] ?? ""
            tensors.problems.append(indexProblem(name, "the index has it in \(file), where it is not"))
        }
        return tensors
    }

    /// Whether a name can only be that of a file in this folder.
    private static func isPlain(_ name: String) -> Bool {
        name.hasSuffix(".safetensors") && name.utf8.count <= 255 && !name.hasPrefix(".") && !name.utf8.contains(0)
            && !name.contains("/")
    }

    private func indexProblem(_ place: String, _ problem: String) -> CheckpointProblem {
        CheckpointProblem(
            place: String(place.prefix(200)), problem: problem, remedy: "fetch the index and the files it lists again")
    }
}
