//! Instructions of 64-bit Arm, and its system registers.

/// The tables: hands `Name = "assembly";` for each instruction, and `Name = "register";` for each
/// register, to a macro. x0 to x5 are `r[0..6]`, before and after; addresses are in x2, as they
/// are in rdx on x86-64. Registers are read to and written from x0; what has no name in every
/// assembler is written as a number, by the Arm ARM C4 and D24.
#[macro_export]
macro_rules! arm_instructions {
    ($callback:ident) => {
        $callback! {
            {
                Nop = "nop";
                // Exceptions.
                Udf = "udf #0";
                UdfMax = "udf #0xffff";
                Brk = "brk #0xffff";
                BrkMailbox = "brk #0";
                Hlt = "hlt #0";
                HltHost = "hlt #0xf000";
                Svc = "svc #0";
                SvcMax = "svc #0xffff";
                Eret = "eret";
                Eretaa = ".inst 0xd69f0bff";
                Drps = ".inst 0xd6bf03e0";
                Dcps1 = "dcps1";
                Dcps2 = "dcps2";
                Dcps3 = "dcps3";
                // Calls of a hypervisor: the two that the honest stub makes, and those around them; and of
                // what is above it.
                Hvc0 = "hvc #0";
                HvcMailbox = "hvc #0x0a00";
                HvcReport = "hvc #0x0a02";
                HvcSwapped = "hvc #0x000a";
                HvcMax = "hvc #0xffff";
                // Each bit alone, and each other than the stub's two have it.
                HvcBit0 = "hvc #0x1";
                HvcBit1 = "hvc #0x2";
                HvcBit2 = "hvc #0x4";
                HvcBit3 = "hvc #0x8";
                HvcBit4 = "hvc #0x10";
                HvcBit5 = "hvc #0x20";
                HvcBit6 = "hvc #0x40";
                HvcBit7 = "hvc #0x80";
                HvcBit8 = "hvc #0x100";
                HvcBit9 = "hvc #0x200";
                HvcBit10 = "hvc #0x400";
                HvcBit11 = "hvc #0x800";
                HvcBit12 = "hvc #0x1000";
                HvcBit13 = "hvc #0x2000";
                HvcBit14 = "hvc #0x4000";
                HvcBit15 = "hvc #0x8000";
                HvcMailboxBit0 = "hvc #0x0a01";
                HvcMailboxBit2 = "hvc #0x0a04";
                HvcMailboxBit3 = "hvc #0x0a08";
                HvcMailboxBit4 = "hvc #0x0a10";
                HvcMailboxBit5 = "hvc #0x0a20";
                HvcMailboxBit6 = "hvc #0x0a40";
                HvcMailboxBit7 = "hvc #0x0a80";
                HvcMailboxBit8 = "hvc #0x0b00";
                HvcMailboxBit9 = "hvc #0x0800";
                HvcMailboxBit10 = "hvc #0x0e00";
                HvcMailboxBit11 = "hvc #0x0200";
                HvcMailboxBit12 = "hvc #0x1a00";
                HvcMailboxBit13 = "hvc #0x2a00";
                HvcMailboxBit14 = "hvc #0x4a00";
                HvcMailboxBit15 = "hvc #0x8a00";
                HvcReportBit0 = "hvc #0x0a03";
                HvcReportBit2 = "hvc #0x0a06";
                HvcReportBit3 = "hvc #0x0a0a";
                HvcReportBit4 = "hvc #0x0a12";
                HvcReportBit5 = "hvc #0x0a22";
                HvcReportBit6 = "hvc #0x0a42";
                HvcReportBit7 = "hvc #0x0a82";
                HvcReportBit8 = "hvc #0x0b02";
                HvcReportBit9 = "hvc #0x0802";
                HvcReportBit10 = "hvc #0x0e02";
                HvcReportBit11 = "hvc #0x0202";
                HvcReportBit12 = "hvc #0x1a02";
                HvcReportBit13 = "hvc #0x2a02";
                HvcReportBit14 = "hvc #0x4a02";
                HvcReportBit15 = "hvc #0x8a02";
                Smc0 = "smc #0";
                SmcMailbox = "smc #0x0a00";
                SmcReport = "smc #0x0a02";
                SmcMax = "smc #0xffff";
                // Stopping.
                Wfi = "wfi";
                Wfe = "wfe";
                Wfit = ".inst 0xd5031020";
                Wfet = ".inst 0xd5031000";
                Sev = "sev";
                Sevl = "sevl";
                Yield = "yield";
                MaskAll = "msr daifset, #15";
                UnmaskAll = "msr daifclr, #15";
                // The state of the processor, by immediates.
                StackOfEl0 = "msr spsel, #0";
                StackOfEl1 = "msr spsel, #1";
                PanOff = ".inst 0xd500409f";
                PanOn = ".inst 0xd500419f";
                UaoOn = ".inst 0xd500417f";
                DitOn = ".inst 0xd503415f";
                SsbsOn = ".inst 0xd503413f";
                TcoOn = ".inst 0xd503419f";
                SmStart = ".inst 0xd503477f";
                SmStop = ".inst 0xd503467f";
                Cfinv = ".inst 0xd500401f";
                // Caches and translations.
                DcZva = "dc zva, x2";
                DcIvac = "dc ivac, x2";
                DcCivac = "dc civac, x2";
                DcCvac = "dc cvac, x2";
                DcCvau = "dc cvau, x2";
                DcIsw = "dc isw, x0";
                DcCsw = "dc csw, x0";
                DcGva = ".inst 0xd50b7462";
                IcIallu = "ic iallu";
                IcIalluis = "ic ialluis";
                IcIvau = "ic ivau, x2";
                TlbiAll = "dsb ish; tlbi vmalle1is; dsb ish";
                TlbiVae1 = "tlbi vae1, x0";
                TlbiAside1 = "tlbi aside1, x0";
                TlbiAlle1 = "tlbi alle1";
                TlbiAlle2 = "tlbi alle2";
                TlbiAlle3 = "tlbi alle3";
                TlbiStage2 = "tlbi ipas2e1, x0";
                AtS1e1r = "at s1e1r, x2; isb; mrs x0, par_el1";
                AtS1e0w = "at s1e0w, x2; isb; mrs x0, par_el1";
                AtS12e1r = "at s12e1r, x2; isb; mrs x0, par_el1";
                SpeculationBarrier = ".inst 0xd50330ff";
                // Memory.
                Read8 = "ldrb w0, [x2]";
                Read16 = "ldrh w0, [x2]";
                Read32 = "ldr w0, [x2]";
                Read64 = "ldr x0, [x2]";
                ReadSigned = "ldrsw x0, [x2]";
                Write8 = "strb w0, [x2]";
                Write16 = "strh w0, [x2]";
                Write32 = "str w0, [x2]";
                Write64 = "str x0, [x2]";
                WriteZero = "str xzr, [x2]";
                // Without what a hypervisor is told of plain ones.
                ReadPair = "ldp x0, x1, [x2]";
                WritePair = "stp x0, x1, [x2]";
                ReadBehind = "ldr x0, [x2], #8";
                WriteBefore = "str x0, [x2, #-8]!";
                ReadUser = "ldtr x0, [x2]";
                WriteUser = "sttr x0, [x2]";
                ReadAcquire = "ldar x0, [x2]";
                WriteRelease = "stlr x0, [x2]";
                ReadExclusive = "ldxr x0, [x2]";
                WriteExclusive = "ldxr x1, [x2]; stxr w3, x0, [x2]";
                PairExclusive = "ldxp x0, x1, [x2]; stxp w3, x0, x1, [x2]";
                Swap = ".inst 0xf8a08041";
                AddAtomic = ".inst 0xf8e00041";
                CompareAndSwap = ".inst 0xc8e0fc41";
                Prefetch = "prfm pldl1keep, [x2]";
                LoadV0 = "ldr q0, [x2]";
                StoreV0 = "str q0, [x2]";
                LoadV31 = "ldr q31, [x2]";
                StoreV31 = "str q31, [x2]";
                Load64Bytes = ".inst 0xf83fd040";
                Store64Bytes = ".inst 0xf83f9040";
                JumpTo = "br x2";
                JumpThrough = "ldr x16, [x2]; br x16";
                SetStack = "mov sp, x0";
                ReadStack = "mov x0, sp";
                UseStack = "mov sp, x0; ldr x1, [sp]; str x1, [sp]";
                // Tags, signatures, targets of branches.
                TagStore = ".inst 0xd9200842";
                TagLoad = ".inst 0xd9600040";
                TagRandom = ".inst 0x9adf1040";
                Sign = ".inst 0xdac10040";
                Authenticate = ".inst 0xdac11040";
                ReturnSigned = ".inst 0xd65f0bff";
                BranchTarget = ".inst 0xd503241f";
                // Floating point and vectors, and those of other sizes.
                DivideVectors = "movi v0.2d, #0; fdiv v0.4s, v0.4s, v0.4s";
                Rdvl = ".inst 0x04bf5020";
                LoadZ0 = ".inst 0x85804040";
                StoreZ0 = ".inst 0xe5804040";
                ReadFirstFault = ".inst 0x2519f000";
                Rdsvl = ".inst 0x04bf5820";
                ZeroZa = ".inst 0xc00800ff";
                // Apple's matrix coprocessor: set and clear.
                AmxSet = ".inst 0x00201220";
                AmxClr = ".inst 0x00201221";
                // Transactions, guarded execution, a machine in the machine.
                Tstart = ".inst 0xd5233060";
                Genter = ".inst 0x00201420";
                Gexit = ".inst 0x00201400";
            }
            {
                // What the processor says of itself.
                MidrEl1 = "S3_0_C0_C0_0";
                MpidrEl1 = "S3_0_C0_C0_5";
                RevidrEl1 = "S3_0_C0_C0_6";
                IdPfr0El1 = "S3_0_C0_C1_0";
                Mvfr0El1 = "S3_0_C0_C3_0";
                IdAa64Pfr0El1 = "S3_0_C0_C4_0";
                IdAa64Pfr1El1 = "S3_0_C0_C4_1";
                IdAa64Zfr0El1 = "S3_0_C0_C4_4";
                IdAa64Smfr0El1 = "S3_0_C0_C4_5";
                IdAa64Dfr0El1 = "S3_0_C0_C5_0";
                IdAa64Dfr1El1 = "S3_0_C0_C5_1";
                IdAa64Isar0El1 = "S3_0_C0_C6_0";
                IdAa64Isar1El1 = "S3_0_C0_C6_1";
                IdAa64Isar2El1 = "S3_0_C0_C6_2";
                IdAa64Mmfr0El1 = "S3_0_C0_C7_0";
                IdAa64Mmfr1El1 = "S3_0_C0_C7_1";
                IdAa64Mmfr2El1 = "S3_0_C0_C7_2";
                CcsidrEl1 = "S3_1_C0_C0_0";
                ClidrEl1 = "S3_1_C0_C0_1";
                AidrEl1 = "S3_1_C0_C0_7";
                CsselrEl1 = "S3_2_C0_C0_0";
                CtrEl0 = "S3_3_C0_C0_1";
                DczidEl0 = "S3_3_C0_C0_7";
                RndrEl0 = "S3_3_C2_C4_0";
                RndrrsEl0 = "S3_3_C2_C4_1";
                // Control, translation, exceptions.
                SctlrEl1 = "S3_0_C1_C0_0";
                ActlrEl1 = "S3_0_C1_C0_1";
                CpacrEl1 = "S3_0_C1_C0_2";
                RgsrEl1 = "S3_0_C1_C0_5";
                GcrEl1 = "S3_0_C1_C0_6";
                ZcrEl1 = "S3_0_C1_C2_0";
                TrfcrEl1 = "S3_0_C1_C2_1";
                SmcrEl1 = "S3_0_C1_C2_6";
                Ttbr0El1 = "S3_0_C2_C0_0";
                Ttbr1El1 = "S3_0_C2_C0_1";
                TcrEl1 = "S3_0_C2_C0_2";
                Tcr2El1 = "S3_0_C2_C0_3";
                SpsrEl1 = "S3_0_C4_C0_0";
                ElrEl1 = "S3_0_C4_C0_1";
                SpEl0 = "S3_0_C4_C1_0";
                SpSel = "S3_0_C4_C2_0";
                CurrentEl = "S3_0_C4_C2_2";
                Pan = "S3_0_C4_C2_3";
                Uao = "S3_0_C4_C2_4";
                Afsr0El1 = "S3_0_C5_C1_0";
                Afsr1El1 = "S3_0_C5_C1_1";
                EsrEl1 = "S3_0_C5_C2_0";
                ErridrEl1 = "S3_0_C5_C3_0";
                ErrselrEl1 = "S3_0_C5_C3_1";
                TfsrEl1 = "S3_0_C5_C6_0";
                FarEl1 = "S3_0_C6_C0_0";
                ParEl1 = "S3_0_C7_C4_0";
                MairEl1 = "S3_0_C10_C2_0";
                PirEl1 = "S3_0_C10_C2_3";
                AmairEl1 = "S3_0_C10_C3_0";
                LorcEl1 = "S3_0_C10_C4_3";
                VbarEl1 = "S3_0_C12_C0_0";
                RvbarEl1 = "S3_0_C12_C0_1";
                RmrEl1 = "S3_0_C12_C0_2";
                IsrEl1 = "S3_0_C12_C1_0";
                DisrEl1 = "S3_0_C12_C1_1";
                ContextidrEl1 = "S3_0_C13_C0_1";
                TpidrEl1 = "S3_0_C13_C0_4";
                ScxtnumEl1 = "S3_0_C13_C0_7";
                TpidrEl0 = "S3_3_C13_C0_2";
                TpidrroEl0 = "S3_3_C13_C0_3";
                Tpidr2El0 = "S3_3_C13_C0_5";
                ScxtnumEl0 = "S3_3_C13_C0_7";
                Nzcv = "S3_3_C4_C2_0";
                Daif = "S3_3_C4_C2_1";
                Svcr = "S3_3_C4_C2_2";
                Dit = "S3_3_C4_C2_5";
                Ssbs = "S3_3_C4_C2_6";
                Tco = "S3_3_C4_C2_7";
                Fpcr = "S3_3_C4_C4_0";
                Fpsr = "S3_3_C4_C4_1";
                Fpmr = "S3_3_C4_C4_2";
                // Keys of pointer authentication.
                ApiaKeyLo = "S3_0_C2_C1_0";
                ApiaKeyHi = "S3_0_C2_C1_1";
                ApibKeyLo = "S3_0_C2_C1_2";
                ApibKeyHi = "S3_0_C2_C1_3";
                ApdaKeyLo = "S3_0_C2_C2_0";
                ApdbKeyHi = "S3_0_C2_C2_3";
                ApgaKeyLo = "S3_0_C2_C3_0";
                ApgaKeyHi = "S3_0_C2_C3_1";
                // Time.
                CntkctlEl1 = "S3_0_C14_C1_0";
                CntfrqEl0 = "S3_3_C14_C0_0";
                CntpctEl0 = "S3_3_C14_C0_1";
                CntvctEl0 = "S3_3_C14_C0_2";
                CntpctssEl0 = "S3_3_C14_C0_5";
                CntvctssEl0 = "S3_3_C14_C0_6";
                CntpTval = "S3_3_C14_C2_0";
                CntpCtl = "S3_3_C14_C2_1";
                CntpCval = "S3_3_C14_C2_2";
                CntvTval = "S3_3_C14_C3_0";
                CntvCtl = "S3_3_C14_C3_1";
                CntvCval = "S3_3_C14_C3_2";
                CntpsCtl = "S3_7_C14_C2_1";
                // Events, samples, traces.
                PmcrEl0 = "S3_3_C9_C12_0";
                PmcntensetEl0 = "S3_3_C9_C12_1";
                PmovsclrEl0 = "S3_3_C9_C12_3";
                PmswincEl0 = "S3_3_C9_C12_4";
                PmselrEl0 = "S3_3_C9_C12_5";
                PmccntrEl0 = "S3_3_C9_C13_0";
                PmxevtyperEl0 = "S3_3_C9_C13_1";
                PmxevcntrEl0 = "S3_3_C9_C13_2";
                PmuserenrEl0 = "S3_3_C9_C14_0";
                PmintensetEl1 = "S3_0_C9_C14_1";
                Pmevcntr0El0 = "S3_3_C14_C8_0";
                PmccfiltrEl0 = "S3_3_C14_C15_7";
                AmcrEl0 = "S3_3_C13_C2_0";
                PmscrEl1 = "S3_0_C9_C9_0";
                PmblimitrEl1 = "S3_0_C9_C10_0";
                TrblimitrEl1 = "S3_0_C9_C11_0";
                Trcprgctlr = "S2_1_C0_C1_0";
                // Debugging.
                Osdtrrx = "S2_0_C0_C0_2";
                Dbgbvr0 = "S2_0_C0_C0_4";
                Dbgbcr0 = "S2_0_C0_C0_5";
                Dbgwvr0 = "S2_0_C0_C0_6";
                Dbgwcr0 = "S2_0_C0_C0_7";
                Dbgbvr1 = "S2_0_C0_C1_4";
                Mdccint = "S2_0_C0_C2_0";
                Mdscr = "S2_0_C0_C2_2";
                Osdtrtx = "S2_0_C0_C3_2";
                Dbgbvr15 = "S2_0_C0_C15_4";
                Oseccr = "S2_0_C0_C6_2";
                Mdrar = "S2_0_C1_C0_0";
                Oslar = "S2_0_C1_C0_4";
                Oslsr = "S2_0_C1_C1_4";
                Osdlr = "S2_0_C1_C3_4";
                Dbgprcr = "S2_0_C1_C4_4";
                Dbgclaimset = "S2_0_C7_C8_6";
                Dbgauthstatus = "S2_0_C7_C14_6";
                Mdccsr = "S2_3_C0_C1_0";
                Dbgdtr = "S2_3_C0_C4_0";
                DspsrEl0 = "S3_3_C4_C5_0";
                DlrEl0 = "S3_3_C4_C5_1";
                // An interrupt controller, which there is not.
                IccPmr = "S3_0_C4_C6_0";
                IccIar0 = "S3_0_C12_C8_0";
                IccEoir0 = "S3_0_C12_C8_1";
                IccBpr0 = "S3_0_C12_C8_3";
                IccAp0r0 = "S3_0_C12_C8_4";
                IccDir = "S3_0_C12_C11_1";
                IccRpr = "S3_0_C12_C11_3";
                IccSgi1r = "S3_0_C12_C11_5";
                IccAsgi1r = "S3_0_C12_C11_6";
                IccSgi0r = "S3_0_C12_C11_7";
                IccIar1 = "S3_0_C12_C12_0";
                IccEoir1 = "S3_0_C12_C12_1";
                IccCtlr = "S3_0_C12_C12_4";
                IccSre = "S3_0_C12_C12_5";
                IccIgrpen0 = "S3_0_C12_C12_6";
                IccIgrpen1 = "S3_0_C12_C12_7";
                // Of exception levels that are not the guest's.
                HcrEl2 = "S3_4_C1_C1_0";
                SctlrEl2 = "S3_4_C1_C0_0";
                MdcrEl2 = "S3_4_C1_C1_1";
                CptrEl2 = "S3_4_C1_C1_2";
                HstrEl2 = "S3_4_C1_C1_3";
                Ttbr0El2 = "S3_4_C2_C0_0";
                VttbrEl2 = "S3_4_C2_C1_0";
                VtcrEl2 = "S3_4_C2_C1_2";
                SpsrEl2 = "S3_4_C4_C0_0";
                ElrEl2 = "S3_4_C4_C0_1";
                SpEl1 = "S3_4_C4_C1_0";
                EsrEl2 = "S3_4_C5_C2_0";
                FarEl2 = "S3_4_C6_C0_0";
                HpfarEl2 = "S3_4_C6_C0_4";
                VbarEl2 = "S3_4_C12_C0_0";
                IchHcrEl2 = "S3_4_C12_C11_0";
                IchLr0El2 = "S3_4_C12_C12_0";
                CntvoffEl2 = "S3_4_C14_C0_3";
                CnthctlEl2 = "S3_4_C14_C1_0";
                VmpidrEl2 = "S3_4_C0_C0_5";
                SctlrEl12 = "S3_5_C1_C0_0";
                Ttbr0El12 = "S3_5_C2_C0_0";
                CntvCtlEl02 = "S3_5_C14_C3_1";
                ScrEl3 = "S3_6_C1_C1_0";
                SctlrEl3 = "S3_6_C1_C0_0";
                VbarEl3 = "S3_6_C12_C0_0";
                SpEl2 = "S3_6_C4_C1_0";
                // Of makers: Apple's among them (AMX, permissions by register, hardware's own settings).
                Hid0 = "S3_0_C15_C0_0";
                Hid4 = "S3_0_C15_C4_0";
                AprrEl0 = "S3_4_C15_C2_0";
                SprrEl1 = "S3_6_C15_C1_0";
                GxfEl1 = "S3_6_C15_C1_2";
                AmxConfig = "S3_4_C15_C1_4";
                Pmcr0 = "S3_1_C15_C0_0";
                Pmc0 = "S3_2_C15_C0_0";
                Ehid = "S3_0_C15_C8_1";
                Actlr12 = "S3_6_C15_C14_6";
                CycOvrd = "S3_5_C15_C5_0";
                Maker30 = "S3_0_C15_C1_0";
                Maker33 = "S3_3_C15_C2_0";
                Maker37 = "S3_7_C15_C7_7";
            }
        }
    };
}

macro_rules! numbers {
    (
        { $( $name:ident = $code:literal; )* }
        { $( $register:ident = $encoding:literal; )* }
    ) => {
        /// An instruction of 64-bit Arm, for [`Code::Instruction`](crate::Code::Instruction) and
        /// [`Code::Privileged`](crate::Code::Privileged).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Arm { $(
            #[doc = concat!("`", $code, "`")]
            $name,
        )* }

        /// A system register of 64-bit Arm.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum ArmRegister { $(
            #[doc = concat!("`", $encoding, "`")]
            $register,
        )* }

        impl Arm {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$( Self::$name, )*];
            /// Numbers that are instructions: those of [`Self::ALL`], then a read and a write
            /// for each [`ArmRegister`].
            pub const NUMBERS: u32 = (Self::ALL.len() + 2 * ArmRegister::ALL.len()) as u32;
            /// Words of [`Code::ReportEntry`](crate::Code::ReportEntry): x0 to x30, sp, NZCV,
            /// FPCR, FPSR, TPIDR_EL0, TPIDRRO_EL0, and then the 64 of v0 to v31.
            pub const ENTRY_WORDS: usize = 31 + 1 + 5 + 64;
        }

        impl ArmRegister {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$( Self::$register, )*];

            /// Number of the instruction that reads it.
            pub const fn read(self) -> u32 {
                Arm::ALL.len() as u32 + 2 * self as u32
            }

            /// Number of the instruction that writes it.
            pub const fn write(self) -> u32 {
                self.read() + 1
            }
        }

        impl From<Arm> for u32 {
            fn from(instruction: Arm) -> Self {
                instruction as Self
            }
        }
    };
}

arm_instructions!(numbers);
