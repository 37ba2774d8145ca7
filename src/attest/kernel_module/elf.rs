//! The ELF side of a module: checked as far as the kernel checks it before it looks for `.modinfo`.

use object::{
    Endianness,
    elf::{self, FileHeader32, FileHeader64},
    read::elf::{FileHeader, SectionHeader},
};

use crate::error::ModuleFailure;

/// The longest `.modinfo`; amdgpu's has 41 kB.
const MAX_MODINFO_BYTES: u64 = 1 << 20;

/// What a module's ELF file holds for us.
pub(super) struct Elf<'a> {
    pub(super) architecture: &'static str,
    pub(super) modinfo: &'a [u8],
}

/// Reads an ELF file of either class and byte order.
pub(super) fn read(file: &[u8]) -> Result<Elf<'_>, ModuleFailure> {
    match file {
        [0x7f, b'E', b'L', b'F', class, ..] => match elf::FileClass(*class) {
            elf::ELFCLASS64 => read_class::<FileHeader64<Endianness>>(file),
            elf::ELFCLASS32 => read_class::<FileHeader32<Endianness>>(file),
            _ => Err(ModuleFailure::Malformed("an ELF file of an unknown class")),
        },
        _ => Err(ModuleFailure::Malformed("neither an ELF file nor one within gzip, xz or zstd")),
    }
}

fn read_class<Header: FileHeader<Endian = Endianness>>(file: &[u8]) -> Result<Elf<'_>, ModuleFailure> {
    const HEADER: ModuleFailure = ModuleFailure::Malformed("the ELF header is cut short or not one of version 1");
    const SECTIONS: ModuleFailure = ModuleFailure::Malformed("the ELF section headers lie outside of the file");
    let header = Header::parse(file).map_err(|_| HEADER)?;
    let endian = header.endian().map_err(|_| HEADER)?;
    if header.e_type(endian) != elf::ET_REL {
        return Err(ModuleFailure::Malformed("an ELF file of another type: modules are relocatable files"));
    }
    let sections = header.section_headers(endian, file).map_err(|_| SECTIONS)?;
    let inside = |section: &&Header::SectionHeader| match section.sh_type(endian) {
        elf::SHT_NULL | elf::SHT_NOBITS => true,
        _ => {
            let end = section.sh_offset(endian).into().checked_add(section.sh_size(endian).into());
            end.is_some_and(|end| end <= file.len() as u64)
        }
    };
    if sections.is_empty() || !sections.iter().all(|section| inside(&section)) {
        return Err(ModuleFailure::Malformed("an ELF section lies outside of the file, or there is none"));
    }
    let names = header.shstrndx(endian, file).map_err(|_| SECTIONS)?;
    let names = sections.get(names as usize).ok_or(SECTIONS)?;
    let names = names.data(endian, file).map_err(|_| SECTIONS)?;
    // Names are compared where they begin, never looked for the end of: their table may be long and without a NUL.
    let is_modinfo = |section: &&Header::SectionHeader| {
        let name = names.get(section.sh_name(endian) as usize..);
        name.is_some_and(|name| name.starts_with(b".modinfo\0"))
    };
    let mut found = sections.iter().filter(is_modinfo);
    let modinfo = found.next().ok_or(ModuleFailure::Malformed("there is no .modinfo section; this is no module"))?;
    if found.next().is_some() {
        return Err(ModuleFailure::Malformed("there are several .modinfo sections"));
    }
    if modinfo.sh_type(endian) == elf::SHT_NOBITS || modinfo.sh_size(endian).into() > MAX_MODINFO_BYTES {
        return Err(ModuleFailure::Malformed(".modinfo has no bytes, or more than 1 MiB"));
    }
    let modinfo = modinfo.data(endian, file).map_err(|_| SECTIONS)?;
    Ok(Elf { architecture: architecture(header.e_machine(endian)), modinfo })
}

fn architecture(machine: elf::Machine) -> &'static str {
    match machine {
        elf::EM_X86_64 => "x86-64",
        elf::EM_386 => "x86",
        elf::EM_AARCH64 => "arm64",
        elf::EM_ARM => "arm",
        elf::EM_RISCV => "riscv",
        elf::EM_LOONGARCH => "loongarch",
        elf::EM_PPC64 => "ppc64",
        elf::EM_PPC => "ppc",
        elf::EM_S390 => "s390",
        elf::EM_MIPS => "mips",
        _ => "another",
    }
}
