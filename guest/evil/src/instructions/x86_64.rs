//! Instructions of x86-64.

/// The table: hands `Name = "assembly";` for each to a macro. rax, rcx, rdx, rbx, rsi
/// and rdi are `r[0..6]`, before and after.
#[macro_export]
macro_rules! x86_instructions {
    ($callback:ident) => {
        $callback! {
            Nop = "nop";
            // Exceptions and interrupts.
            Ud2 = "ud2";
            Int3 = "int3";
            Icebp = ".byte 0xf1";
            Int80 = "int $0x80";
            IntDoubleFault = "int $8";
            IntPageFault = "int $14";
            IntMissing = "int $0xff";
            DivideByZero = "xor %ecx, %ecx; div %ecx";
            Popf = "push %rax; popfq";
            Pushf = "pushfq; pop %rax";
            Iretq = "iretq";
            FarReturn = "lretq";
            Enter = "enter $16, $31";
            LockNop = ".byte 0xf0, 0x90";
            TooLong = ".fill 15, 1, 0x66; nop";
            // Stopping.
            Hlt = "hlt";
            Cli = "cli";
            Sti = "sti";
            Pause = "pause";
            Monitor = "monitor";
            Mwait = "mwait";
            Tpause = ".byte 0x66, 0x0f, 0xae, 0xf1";
            Umwait = ".byte 0xf2, 0x0f, 0xae, 0xf1";
            // What the processor says of itself, and of time.
            Cpuid = "cpuid";
            Rdtsc = "rdtsc; shl $32, %rdx; or %rdx, %rax";
            Rdtscp = "rdtscp; shl $32, %rdx; or %rdx, %rax";
            Rdpmc = "rdpmc; shl $32, %rdx; or %rdx, %rax";
            Rdpid = ".byte 0xf3, 0x0f, 0xc7, 0xf8";
            Rdrand = "rdrand %rax";
            Rdseed = "rdseed %rax";
            Xgetbv = "xgetbv";
            Xsetbv = "xsetbv";
            Rdmsr = "rdmsr; shl $32, %rdx; or %rdx, %rax";
            Wrmsr = "wrmsr";
            Sgdt = "sgdt (%rdx)";
            Sidt = "sidt (%rdx)";
            Sldt = "sldt %rax";
            Str = "str %rax";
            Smsw = "smsw %rax";
            Lgdt = "lgdt (%rdx)";
            Lidt = "lidt (%rdx)";
            Lldt = "lldt %ax";
            Ltr = "ltr %ax";
            Lmsw = "lmsw %ax";
            Clts = "clts";
            Lar = "lar %eax, %ecx";
            Lsl = "lsl %eax, %ecx";
            Verr = "verr %ax";
            // Control and debug registers.
            ReadCr0 = "mov %cr0, %rax";
            WriteCr0 = "mov %rax, %cr0";
            ReadCr2 = "mov %cr2, %rax";
            WriteCr2 = "mov %rax, %cr2";
            ReadCr3 = "mov %cr3, %rax";
            WriteCr3 = "mov %rax, %cr3";
            ReadCr4 = "mov %cr4, %rax";
            WriteCr4 = "mov %rax, %cr4";
            ReadCr8 = "mov %cr8, %rax";
            WriteCr8 = "mov %rax, %cr8";
            ReadDr0 = "mov %db0, %rax";
            WriteDr0 = "mov %rax, %db0";
            ReadDr3 = "mov %db3, %rax";
            WriteDr3 = "mov %rax, %db3";
            ReadDr6 = "mov %db6, %rax";
            WriteDr6 = "mov %rax, %db6";
            ReadDr7 = "mov %db7, %rax";
            WriteDr7 = "mov %rax, %db7";
            // Calls of a system or a hypervisor, and other machines in the machine.
            Syscall = "syscall";
            Sysret = "sysretq";
            Sysenter = "sysenter";
            Sysexit = "sysexitq";
            Vmcall = "vmcall";
            Vmmcall = "vmmcall";
            Vmfunc = "vmfunc";
            Vmxon = "vmxon (%rdx)";
            Vmlaunch = "vmlaunch";
            Vmrun = "vmrun";
            Stgi = "stgi";
            Skinit = "skinit";
            Getsec = ".byte 0x0f, 0x37";
            Encls = ".byte 0x0f, 0x01, 0xcf";
            Enclu = ".byte 0x0f, 0x01, 0xd7";
            Seamcall = ".byte 0x66, 0x0f, 0x01, 0xcf";
            Rsm = "rsm";
            Xbegin = "xbegin 1f; xend; 1:";
            // Caches and translations.
            Invd = "invd";
            Wbinvd = "wbinvd";
            Invlpg = "invlpg (%rdx)";
            Invpcid = "invpcid (%rdx), %rax";
            Clflush = "clflush (%rdx)";
            Clac = "clac";
            Stac = "stac";
            // Segments and their bases.
            Swapgs = "swapgs";
            Rdfsbase = "rdfsbase %rax";
            Wrfsbase = "wrfsbase %rax";
            Rdgsbase = "rdgsbase %rax";
            Wrgsbase = "wrgsbase %rax";
            LoadDs = "mov %ax, %ds";
            LoadEs = "mov %ax, %es";
            LoadFs = "mov %ax, %fs";
            LoadGs = "mov %ax, %gs";
            LoadSs = "mov %ax, %ss";
            ReadFs = "mov %fs:(%rdx), %rax";
            ReadGs = "mov %gs:(%rdx), %rax";
            // Ports.
            In8 = "in %dx, %al";
            In16 = "in %dx, %ax";
            In32 = "in %dx, %eax";
            Out8 = "out %al, %dx";
            Out16 = "out %ax, %dx";
            Out32 = "out %eax, %dx";
            RepIns8 = "rep insb";
            RepIns32 = "rep insl";
            RepOuts8 = "rep outsb";
            RepOuts32 = "rep outsl";
            // Memory.
            Read8 = "movzbl (%rdx), %eax";
            Read16 = "movzwl (%rdx), %eax";
            Read32 = "mov (%rdx), %eax";
            Read64 = "mov (%rdx), %rax";
            Write8 = "mov %al, (%rdx)";
            Write16 = "mov %ax, (%rdx)";
            Write32 = "mov %eax, (%rdx)";
            Write64 = "mov %rax, (%rdx)";
            Exchange = "xchg %rax, (%rdx)";
            LockAdd = "lock xadd %rax, (%rdx)";
            LockWide = "lock cmpxchg16b (%rdx)";
            CopyBytes = "rep movsb";
            FillBytes = "rep stosb";
            PushRead = "push (%rdx); pop %rax";
            JumpTo = "jmp *%rdx";
            JumpThrough = "jmp *(%rdx)";
            SetStack = "mov %rax, %rsp";
            // Of the frame with which ring 0 was entered: all ports are ring 3's.
            OpenPorts = "orq $0x3000, 32(%rsp)";
            // Floating point and vectors.
            Fninit = "fninit";
            Fldcw = "fldcw (%rdx)";
            Fld = "fldt (%rdx)";
            Fxsave = "fxsave64 (%rdx)";
            Fxrstor = "fxrstor64 (%rdx)";
            Stmxcsr = "stmxcsr (%rdx)";
            Ldmxcsr = "ldmxcsr (%rdx)";
            Xsave = "xsave64 (%rdx)";
            Xrstor = "xrstor64 (%rdx)";
            Xsaves = "xsaves64 (%rdx)";
            LoadXmm0 = "movups (%rdx), %xmm0";
            StoreXmm0 = "movups %xmm0, (%rdx)";
            DivideVectors = "xorps %xmm0, %xmm0; divps %xmm0, %xmm0";
            LoadYmm0 = "vmovups (%rdx), %ymm0";
            StoreYmm0 = "vmovups %ymm0, (%rdx)";
            LoadYmm15 = "vmovups (%rdx), %ymm15";
            StoreYmm15 = "vmovups %ymm15, (%rdx)";
            LoadZmm0 = "vmovups (%rdx), %zmm0";
            StoreZmm0 = "vmovups %zmm0, (%rdx)";
            LoadZmm31 = "vmovups (%rdx), %zmm31";
            StoreZmm31 = "vmovups %zmm31, (%rdx)";
            WriteMask = "kmovq %rax, %k1";
            ReadMask = "kmovq %k1, %rax";
            LoadTiles = "ldtilecfg (%rdx)";
            StoreTiles = "sttilecfg (%rdx)";
            TileZero = "tilezero %tmm0";
            Rdpkru = "rdpkru";
            Wrpkru = "wrpkru";
            ReadShadowStack = "rdsspq %rax";
            SetShadowStackBusy = "setssbsy";
            Serialize = ".byte 0x0f, 0x01, 0xe8";
            Enqcmd = ".byte 0xf2, 0x0f, 0x38, 0xf8, 0x02";
            SendUipi = ".byte 0xf3, 0x0f, 0xc7, 0xf0";
            Ptwrite = ".byte 0xf3, 0x48, 0x0f, 0xae, 0xe0";
        }
    };
}

macro_rules! numbers {
    ($( $name:ident = $code:literal; )*) => {
        /// An instruction of x86-64, for [`Code::Instruction`](crate::Code::Instruction) and
        /// [`Code::Privileged`](crate::Code::Privileged).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum X86 { $(
            #[doc = concat!("`", $code, "`")]
            $name,
        )* }

        impl X86 {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$( Self::$name, )*];
            /// Numbers that are instructions.
            pub const NUMBERS: u32 = Self::ALL.len() as u32;
            /// Words of [`Code::ReportEntry`](crate::Code::ReportEntry): rax, rcx, rdx, rbx,
            /// rsp, rbp, rsi, rdi, r8 to r15, rflags, then ds, es, fs, gs, cs, ss, and then the
            /// 64 words of `FXSAVE`.
            pub const ENTRY_WORDS: usize = 17 + 6 + 64;
        }

        impl From<X86> for u32 {
            fn from(instruction: X86) -> Self {
                instruction as Self
            }
        }
    };
}

x86_instructions!(numbers);
